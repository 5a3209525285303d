"""Pickles of every protocol, of opcodes that fit together and of those that do not."""

import io
import pickle
import struct
import zipfile

from .mutations import damaged, write

MAGIC = 0x1950A86A20F9469CFC6C  # of files before torch 1.6
PROGRAMS = (
    ('os', 'system'),
    ('posix', 'system'),
    ('builtins', 'eval'),
    ('builtins', 'exec'),
    ('__builtin__', 'eval'),
    ('builtins', 'open'),
    ('builtins', '__import__'),
    ('builtins', 'getattr'),
    ('builtins', 'setattr'),
    ('subprocess', 'Popen'),
    ('subprocess', 'check_output'),
    ('operator', 'attrgetter'),
    ('functools', 'partial'),
    ('copyreg', '_reconstructor'),
    ('copyreg', '__newobj__'),
    ('copyreg', 'add_extension'),
    ('importlib', 'import_module'),
    ('runpy', '_run_code'),
    ('pickle', 'loads'),
    ('torch', 'load'),
    ('torch', 'set_default_dtype'),
    ('torch.jit', 'load'),
    ('torch.hub', 'load'),
    ('torch._utils', '_rebuild_tensor_v2.__globals__'),
    ('numpy', 'load'),
    ('numpy', 'fromfile'),
    ('numpy', 'memmap'),
    ('numpy.ctypeslib', 'as_array'),
    ('mmengine.logging.history_buffer', 'HistoryBuffer.register_statistics'),
    ('mmengine.logging.history_buffer', 'np.fromfile'),
    ('mmengine.config', 'Config.fromfile'),
    ('mmdet_eca.checkpoints.unpickling', 'pickle'),
)
# What real checkpoints name, or torch accepts, with arguments of the file's choice.
NAMES = (
    ('collections', 'OrderedDict'),
    ('collections', 'Counter'),
    ('collections', 'defaultdict'),
    ('builtins', 'set'),
    ('__builtin__', 'set'),
    ('builtins', 'bytearray'),
    ('builtins', 'complex'),
    ('_codecs', 'encode'),
    ('torch', 'device'),
    ('torch', 'Size'),
    ('torch', 'Tensor'),
    ('torch', 'float32'),
    ('torch', 'FloatStorage'),
    ('torch', 'LongStorage'),
    ('torch', 'BFloat16Storage'),
    ('torch', 'QUInt8Storage'),
    ('torch', 'FloatTensor'),
    ('torch.sparse', 'FloatTensor'),
    ('torch.storage', 'UntypedStorage'),
    ('torch.storage', 'TypedStorage'),
    ('torch.nn.parameter', 'Parameter'),
    ('torch.serialization', '_get_layout'),
    ('torch._utils', '_rebuild_tensor'),
    ('torch._utils', '_rebuild_tensor_v2'),
    ('torch._utils', '_rebuild_tensor_v3'),
    ('torch._utils', '_rebuild_parameter'),
    ('torch._utils', '_rebuild_parameter_with_state'),
    ('torch._utils', '_rebuild_sparse_tensor'),
    ('torch._utils', '_rebuild_qtensor'),
    ('torch._utils', '_rebuild_nested_tensor'),
    ('torch._utils', '_rebuild_wrapper_subclass'),
    ('torch._utils', '_rebuild_meta_tensor_no_storage'),
    ('torch._utils', '_rebuild_device_tensor_from_numpy'),
    ('torch._tensor', '_rebuild_from_type_v2'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    ('numpy.dtypes', 'Float64DType'),
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', '_reconstruct'),
    ('numpy.core.multiarray', 'scalar'),
    ('numpy._core.multiarray', 'scalar'),
    ('mmengine.logging.history_buffer', 'HistoryBuffer'),
    ('builtins', 'getattr'),
)
_STRINGS = ('', 'a', 'storage', 'module', 'cpu', 'cuda:0', 'meta', '0', '1', 'f8', 'O')
_STRINGS += ('state_dict', 'meta', 'mean', '__class__', '__dict__', 'V8', 'b', 'i4')
_STRINGS += ('data', '<', 'sparse_coo', 'torch.sparse_coo', 'touch ran', 'é\ud800\n')
_STRINGS += ('_log_history', '_count_history', 'statistics_methods', 'idna', 'zip')
_INTEGERS = (0, 1, 2, 4, 8, -1, 255, 65535, 2**31 - 1, -(2**31), 2**40, 2**62, 2**63)
_INTEGERS += (2**64, -(2**63), 10**30)
_FLOATS = (0.0, 1.5, -1.0, float('inf'), float('nan'), 1e308)
OPCODES = tuple(
    value
    for name, value in vars(pickle).items()
    if name.isupper() and type(value) is bytes
)


def opcodes(random, folder):
    """A program for Python's unpickler, mostly well formed."""
    return write(folder, _name(random), _wrapped(random, program(random)))


def bombs(random, folder):
    """A few bytes that ask for much: memory, time or depth."""
    return write(folder, _name(random), _wrapped(random, random.choice(_BOMBS)(random)))


def noise(random, folder):
    """Opcodes and bytes of chance."""
    pieces = [
        random.choice(OPCODES) if random.random() < 0.6 else random.randbytes(2)
        for _ in range(random.randrange(60))
    ]
    return write(folder, _name(random), _wrapped(random, b''.join(pieces)))


def _wrapped(random, data):
    """Puts a pickle where a reader looks for one."""
    kind = random.randrange(8)
    if kind == 0:
        return data
    if kind < 3:  # as before torch 1.6
        head = (MAGIC, 1001, {})
        return b''.join(pickle.dumps(v, 2) for v in head) + data + pickle.dumps([], 2)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('archive/data.pkl', data)
        archive.writestr('archive/data/0', bytes(16))
        archive.writestr('archive/version', b'3\n')
    return buffer.getvalue()


def program(random, root=None):
    """Returns a pickle, of any protocol, whose last value is of chance.

    Args:
        random (Random): The source of chance.
        root (bytes, optional): Opcodes of that last value instead.
    """
    protocol = random.randrange(6)
    body = (value(random, 4) if root is None else root) + b'.'
    head = b'' if protocol < 2 else b'\x80' + bytes([protocol])
    if protocol >= 4 and random.random() < 0.7:
        size = len(body) if random.random() < 0.8 else random.choice(_INTEGERS)
        head += b'\x95' + (size % 2**64).to_bytes(8, 'little')
    data = head + body
    return damaged(random, data, OPCODES) if random.random() < 0.3 else data


def value(random, depth):
    """Opcodes that push one value."""
    makers = (_string, _integer, _other) if depth <= 0 else _MAKERS
    return random.choice(makers)(random, depth)


def string(text):
    """Opcodes of a text."""
    data = text.encode('utf-8', 'surrogatepass')
    return b'X' + struct.pack('<I', len(data)) + data


def integer(number):
    """Opcodes of a number."""
    if -(2**31) <= number < 2**31:
        return b'J' + struct.pack('<i', number)
    data = pickle.encode_long(number)
    return b'\x8a' + bytes([len(data)]) + data


def name(module, attribute):
    """Opcodes of a class or function."""
    return f'c{module}\n{attribute}\n'.encode()


def _string(random, depth):
    text = random.choice(_STRINGS)
    data = text.encode('utf-8', 'surrogatepass')
    size = len(data)
    return random.choice(
        (
            string(text),
            b'\x8c' + bytes([size]) + data,
            b'\x8d' + struct.pack('<Q', size) + data,
            b'V' + text.encode('raw-unicode-escape', 'replace') + b'\n',
            b'S' + repr(text).encode('ascii', 'replace') + b'\n',
            b'U' + bytes([size]) + data,
            b'T' + struct.pack('<i', size) + data,
            b'C' + bytes([size]) + data,
            b'B' + struct.pack('<I', size) + data,
            b'\x8e' + struct.pack('<Q', size) + data,
            b'\x96' + struct.pack('<Q', size) + data,
        )
    )


def _integer(random, depth):
    number = random.choice(_INTEGERS)
    data = pickle.encode_long(number)
    return random.choice(
        (
            integer(number),
            integer(number),
            b'K' + bytes([number % 256]),
            b'M' + struct.pack('<H', number % 65536),
            b'I%d\n' % number,
            b'L%dL\n' % number,
            b'\x8b' + struct.pack('<i', len(data)) + data,
        )
    )


def _other(random, depth):
    return random.choice(
        (
            b'N',
            b'\x88',
            b'\x89',
            b'G' + struct.pack('>d', random.choice(_FLOATS)),
            b'F1e999\n',
            b'I01\n',
            b'}',
            b']',
            b')',
            b'\x8f',
            b'K\x00h' + bytes([random.randrange(3)]),
            b'K\x00j' + struct.pack('<I', random.choice((0, 2**31, 2**32 - 1))),
        )
    )


def _values(random, depth):
    return [value(random, depth - 1) for _ in range(random.randrange(5))]


def _container(random, depth):
    values = b''.join(_values(random, depth))
    return random.choice(
        (
            b'(' + values + b't',
            b'(' + values + b'l',
            b'(' + values + b'd',
            b'](' + values + b'e',
            b'}(' + values + b'u',
            b'\x8f(' + values + b'\x90',
            b'(' + values + b'\x91',
            b']' + value(random, depth - 1) + b'a',
            b'}' + _string(random, 0) + value(random, depth - 1) + b's',
            value(random, depth - 1) + b'\x85',
            value(random, depth - 1) + b'2\x86',
            value(random, depth - 1) + b'q\x00h\x00h\x00\x87',
            value(random, depth - 1) + b'\x94',
            b'K\x000' + value(random, depth - 1),
        )
    )


def _global(random, depth):
    module, attribute = random.choice(random.choice((PROGRAMS, NAMES, NAMES)))
    return random.choice(
        (
            name(module, attribute),
            name(module, attribute),
            string(module) + string(attribute) + b'\x93',
            b'\x82\x01',
        )
    )


def _call(random, depth):
    """A function or class, called in one of the ways that there are."""
    made = _global(random, depth)
    values = b''.join(_values(random, depth))
    arguments = b'(' + values + b't'
    state = value(random, depth - 1)
    module, attribute = random.choice(NAMES)
    return random.choice(
        (
            made + arguments + b'R',
            made + arguments + b'R',
            made + arguments + b'R' + state + b'b',
            made + arguments + b'\x81',
            made + arguments + b'\x81' + state + b'b',
            made + arguments + b'}' + b'\x92',
            made + state + b'b',
            b'(' + made + values + b'o',
            b'(' + values + f'i{module}\n{attribute}\n'.encode(),
        )
    )


def storage(random, key='0', numel=None):
    """Opcodes of a storage's persistent id, in order or nearly so."""
    kind = random.choice(('FloatStorage',) * 12 + ('ByteStorage', 'QInt8Storage'))
    if numel is None:
        numel = random.choice((4,) * 12 + (0, 3, 5, 10**6, -1, 2**62))
    return (
        b'('
        + string('storage' if random.random() < 0.98 else 'module')
        + name('torch', kind)
        + (string(key) if random.random() < 0.97 else value(random, 1))
        + string(random.choice(('cpu',) * 8 + ('cuda:0', 'meta', 'nowhere')))
        + (integer(numel) if random.random() < 0.97 else value(random, 1))
        + (b'tQ' if random.random() < 0.97 else b'NtQ')
    )


def tensor(random, numel=None):
    """Opcodes of a tensor whose storage may not be as large as it says."""
    sizes, strides, offset = random.choice(_FITTING)
    if random.random() < 0.4:
        sizes = _some(random, (1, 2, 4, 4, 0, -1, 3, 10**6, 2**40, 2**62))
    if random.random() < 0.3:
        strides = _some(random, (1, 1, 2, 0, -1, 2**40, 2**62))
    if random.random() < 0.2:
        offset = random.choice((1, 2, 4, -1, 2**40, 2**62, 2**64))
    hooks = name('collections', 'OrderedDict') + b')R'
    return (
        name('torch._utils', '_rebuild_tensor_v2')
        + b'('
        + storage(random, numel=numel)
        + integer(offset)
        + _numbers(sizes)
        + _numbers(strides)
        + random.choice((b'\x89', b'\x88'))
        + (hooks if random.random() < 0.9 else value(random, 2))
        + b'tR'
    )


# Sizes, strides and offset in a storage of four elements.
_FITTING = (((4,), (1,), 0), ((2, 2), (2, 1), 0), ((2, 2), (1, 2), 0), ((), (), 3))
_FITTING += (((2,), (2,), 1), ((0,), (1,), 0), ((3, 2), (0, 1), 1))


def _some(random, choices):
    return [random.choice(choices) for _ in range(random.choice((1, 1, 0, 2, 3)))]


def _numbers(numbers):
    return b'(' + b''.join(map(integer, numbers)) + b't'


def array(random):
    """Opcodes of numpy's arrays and scalars, whose type may be a lie."""
    core = random.choice(('numpy.core.multiarray', 'numpy._core.multiarray'))
    kind = random.choice(
        ('f8',) * 12 + ('i8', 'b1', 'O', 'V8', 'f4', 'U4', 'f8,O', 'V1000000000')
    )
    state = [b'N'] * 3
    if random.random() < 0.1:
        state[random.randrange(3)] = value(random, 3)
    if random.random() < 0.1:
        object_type = name('numpy', 'dtype') + string('O') + b'\x85R'
        state[0] = object_type + integer(2) + b'\x85\x86'
    flags = random.choice((0,) * 12 + (1, 2, 3, 16, 63, -1))
    dtype = (
        name('numpy', 'dtype')
        + string(kind)
        + b'\x89\x88\x87R('
        + integer(3)
        + string('<')
        + b''.join(state)
        + integer(random.choice((-1,) * 12 + (8, -8, 10**6, 2**31 - 1)))
        + integer(random.choice((-1, -1, 8)))
        + integer(flags)
        + b'tb'
    )
    data = name('_codecs', 'encode') + string(
        'A' * random.choice((16,) * 8 + (8, 0, 3))
    )
    data += string(random.choice(('latin1',) * 9 + ('utf-16', 'idna'))) + b'\x86R'
    if random.random() < 0.3:
        return name(core, 'scalar') + dtype + data + b'\x86R'
    empty = _numbers([random.choice((0,) * 9 + (10**9, -1))])
    shape = _some(random, (1, 2, 2, 0, -1, 2**40, 2**62))
    shape = (2,) if random.random() < 0.6 else shape
    made = name(core, '_reconstruct') + name('numpy', 'ndarray') + empty + string('b')
    contents = (data, data, data, b']', value(random, 2))
    return (
        made
        + b'\x87R('
        + integer(1)
        + _numbers(shape)
        + dtype
        + b'\x89'
        + random.choice(contents)
        + b'tb'
    )


def history(random):
    """Opcodes of a HistoryBuffer with a state of chance."""
    buffer = ('mmengine.logging.history_buffer', 'HistoryBuffer')
    method = (
        name('builtins', 'getattr')
        + name(*buffer)
        + string(
            random.choice(('mean', 'max', '__init__', 'register_statistics', '_x'))
        )
    )
    methods = b'}' + string(random.choice(('mean', 'median', '__call__')))
    methods += (method + b'\x86R' if random.random() < 0.7 else value(random, 2)) + b's'
    state = b'}(' + string('statistics_methods') + methods
    for key in ('_log_history', '_count_history', random.choice(_STRINGS)):
        state += string(key) + (
            array(random) if random.random() < 0.7 else value(random, 2)
        )
    return name(*buffer) + b')\x81' + state + b'ub'


def checkpoint(random):
    """Opcodes of a dict with a state dict, meta and a message hub."""
    parts = (tensor, tensor, array, history, lambda random: value(random, 3))
    body = b'}(' + string('state_dict') + name('collections', 'OrderedDict') + b')R('
    for i in range(random.randrange(1, 4)):
        body += string(f'layer{i}.weight') + random.choice(parts[:3])(random)
    body += b'u' + string('meta') + b'}' + string(random.choice(_STRINGS))
    body += value(random, 2) + b's'
    body += string('message_hub') + random.choice(parts)(random)
    return body + b'u'


def _call_of_tensor(random, depth):
    return random.choice((tensor, array, history, storage))(random)


_MAKERS = (_string, _integer, _other, _container, _container, _global, _call, _call)
_MAKERS += (_call_of_tensor,)


def _claims(random):
    """A length of terabytes in front of nothing."""
    size = random.choice((2**31 - 1, 2**32 - 1, 2**40, 2**62, 2**64 - 1))
    code = random.choice(
        (b'X', b'B', b'T', b'\x8b', b'\x8d', b'\x8e', b'\x95', b'\x96')
    )
    width = 4 if code in b'XBT\x8b' else 8
    return (
        b'\x80\x05'
        + code
        + (size % 2 ** (8 * width)).to_bytes(width, 'little')
        + b'abc.'
    )


def _laughs(random):
    """Twice the same value in a value, and that twice in another, ninety times."""
    levels = random.choice((40, 90))
    twice = random.choice((b'h%c' + b'h%c\x86', b'](h%c' + b'h%c' + b'e'))
    body = random.choice((b')q\x00', b'](Ne' + b'q\x00'))
    for i in range(levels):
        body += twice % (i, i) + b'q' + bytes([i + 1])
    again = b'h' + bytes([levels])
    uses = (
        b'',
        b'}' + again + b'Ns',
        name('builtins', 'set') + b'](' + again + b'e\x85R',
        b'}' + string('state_dict') + again + b's',
        b'}' + string('meta') + again + b's',
    )
    return b'\x80\x02' + body + random.choice(uses) + b'.'


def _depths(random):
    """Values within values within values."""
    depth = random.choice((1000, 100_000))
    kind = random.choice((b'\x85', b'](', b'}', b'('))
    if kind == b'\x85':
        body = b')' + b'\x85' * depth + random.choice((b'', b'q\x010}h\x01Ns'))
    elif kind == b'](':
        body = b']' * depth + b'a' * (depth - 1)
    elif kind == b'}':
        body = b'}K\x00' * depth + b'N' + b's' * depth
    else:
        body = b'(' * depth + b't' * depth
    return b'\x80\x02' + body + b'.'


def _sizes(random):
    """Calls of what torch accepts, with terabytes for an argument."""
    number = integer(random.choice((2**30 * 3, 2**31 * 2, 2**33, 2**40, 2**62)))
    module, attribute = random.choice(
        (
            ('builtins', 'bytearray'),
            ('torch', 'Tensor'),
            ('torch', 'FloatTensor'),
            ('torch', 'FloatStorage'),
            ('torch.storage', 'UntypedStorage'),
            ('torch.nn.parameter', 'Parameter'),
        )
    )
    how = random.choice((b'\x85R', b'\x85\x81'))
    return b'\x80\x02' + name(module, attribute) + number + how + b'.'


def _memos(random):
    """Memo numbers that are not in order."""
    number = random.choice((2**31 - 1, 2**32 - 1))
    return (
        b'\x80\x02Nr'
        + struct.pack('<I', number)
        + b'j'
        + struct.pack('<I', number)
        + b'.'
    )


def _numerals(random):
    """Numbers of very many digits."""
    digits = random.choice((4000, 5000, 300_000))
    return random.choice(
        (
            b'I' + b'9' * digits + b'\n.',
            b'L' + b'9' * digits + b'L\n.',
            b'\x80\x02\x8b' + struct.pack('<i', digits) + b'\x7f' * digits + b'.',
        )
    )


_BOMBS = (_claims, _laughs, _depths, _sizes, _memos, _numerals)


def _name(random):
    return random.choice(('checkpoint.pth', 'checkpoint.pt', 'model.bin'))
