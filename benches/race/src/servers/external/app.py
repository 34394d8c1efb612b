"""The answers as a bare ASGI application, for uvicorn: a dictionary of the routes, no framework."""


def start(status, body):
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    return {"type": "http.response.start", "status": status, "headers": headers}


def answer(body):
    return start(200, body), {"type": "http.response.body", "body": body}


LARGE = "".join(f"{line:07}\n" for line in range(100 * 1024 // 8)).encode()
ANSWERS = {f"/route/{route}": answer(f"route {route}".encode()) for route in range(100, 200)}
ANSWERS |= {"/plaintext": answer(b"Hello, World!"), "/100k": answer(LARGE)}
NOT_FOUND = start(404, b""), {"type": "http.response.body", "body": b""}


async def body_length(receive):
    length = 0
    while True:
        event = await receive()
        length += len(event.get("body", b""))
        if not event.get("more_body", False):
            return length


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    if scope["method"] == "GET":
        head, body = ANSWERS.get(scope["path"], NOT_FOUND)
    elif scope["path"] == "/echo-length":
        head, body = answer(str(await body_length(receive)).encode())
    else:
        head, body = NOT_FOUND
    await send(head)
    await send(body)
