"""Damage to bytes that were in order."""

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
_NUMBERS += (2**40, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(random, data, splice=()):
    """Returns bytes with one to five damages: cuts, flips, numbers, repeats.

    Args:
        random (Random): The source of chance.
        data (bytes): What is damaged.
        splice (Sequence[bytes]): Pieces that may be put in, such as opcodes.
    """
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        if not data:
            break
        at = random.randrange(len(data))
        size = min(random.choice((1, 1, 2, 4, 8, 64)), len(data) - at)
        damage = random.randrange(8)
        if damage == 0:
            del data[at:]
        elif damage == 1:
            data[at] ^= 1 << random.randrange(8)
        elif damage == 2:
            data[at] = random.randrange(256)
        elif damage == 3:
            number = random.choice(_NUMBERS) & (2 ** (8 * size) - 1)
            data[at : at + size] = number.to_bytes(
                size, random.choice(('little', 'big'))
            )
        elif damage == 4:
            del data[at : at + size]
        elif damage == 5:
            data[at:at] = data[at : at + size] * random.choice((1, 2, 100))
        elif damage == 6 and splice:
            data[at:at] = random.choice(splice)
        else:
            other = random.randrange(len(data))
            data[at : at + size] = data[other : other + size]
    return bytes(data)


def write(folder, name, data):
    """Writes a file and returns its path."""
    path = f'{folder}/{name}'
    with open(path, 'wb') as file:
        file.write(data)
    return path
