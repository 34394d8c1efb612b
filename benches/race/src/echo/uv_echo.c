/* TCP echo on libuv: what is read is tried to be written at once, and queued only when the socket is full. While bytes are
 * queued nothing is read, so a client that does not read cannot make it hold more than one read. Usage: uv_echo PORT */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct pending {
    uv_write_t write;
    char bytes[];
};

static char input[256 * 1024]; /* one for all: a read is dealt with before the next */

static void on_closed(uv_handle_t *handle) { free(handle); }

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
    (void)handle, (void)size;
    *buffer = uv_buf_init(input, sizeof input);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

static void on_written(uv_write_t *write, int status) {
    uv_stream_t *stream = write->handle;
    free(write);
    if (!status) uv_read_start(stream, on_alloc, on_read);
    else if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_closed);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    if (length == 0) return;
    if (length < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t now = uv_buf_init(buffer->base, (unsigned)length);
    int sent = uv_try_write(stream, &now, 1);
    if (sent < 0 && sent != UV_EAGAIN) return; /* the next read tells that the connection is broken */
    size_t done = sent > 0 ? (size_t)sent : 0, left = (size_t)length - done;
    if (!left) return;
    struct pending *rest = malloc(sizeof *rest + left);
    if (!rest) abort();
    memcpy(rest->bytes, buffer->base + done, left);
    uv_buf_t later = uv_buf_init(rest->bytes, (unsigned)left);
    uv_read_stop(stream);
    if (uv_write(&rest->write, stream, &later, 1, on_written)) abort();
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_tcp_t *stream;
    if (status || !(stream = malloc(sizeof *stream))) return;
    uv_tcp_init(listener->loop, stream);
    if (uv_accept(listener, (uv_stream_t *)stream)) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_tcp_nodelay(stream, 1);
    uv_read_start((uv_stream_t *)stream, on_alloc, on_read);
}

int main(int count, char **words) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    if (count != 2) return 2;
    signal(SIGPIPE, SIG_IGN);
    uv_ip4_addr("127.0.0.1", atoi(words[1]), &address);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0)) return 1;
    if (uv_listen((uv_stream_t *)&listener, 4096, on_connection)) return 1;
    return uv_run(loop, UV_RUN_DEFAULT);
}
