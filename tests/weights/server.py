"""A web server of this process, also for a Hugging Face hub's clients."""

import contextlib
import functools
import hashlib
import http.server
import pathlib
import threading


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers as the hub does for files with 'resolve' in their path."""

    def end_headers(self):
        path = pathlib.Path(self.translate_path(self.path))
        if '/resolve/' in self.path and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.send_header('ETag', f'"{digest}"')
            self.send_header('X-Repo-Commit', '0' * 40)
        elif '/resolve/' in self.path:
            self.send_header('X-Error-Code', 'RepoNotFound')
        super().end_headers()

    def copyfile(self, source, outputfile):
        if self.path in self.server.cut_off:
            outputfile.write(source.read(100))
        else:
            super().copyfile(source, outputfile)

    def log_message(self, _, request, *args):
        self.server.requests.append(request)


@contextlib.contextmanager
def serve(folder):
    """Yields a server with its ``address``, the ``requests`` it had, and the
    paths that it cuts off, ``cut_off``."""
    server = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), functools.partial(Handler, directory=str(folder))
    )
    server.address = f'http://127.0.0.1:{server.server_port}'
    server.requests, server.cut_off = [], set()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def named_by_hash(path):
    """The file with its SHA-256 in its name, as torch.hub wants it."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(path.with_name(f'{path.stem}-{digest[:8]}.pth'))
