/* libuv with a handler that knows no more of HTTP than its requests need: where a head ends, its first line, and the
 * Content-Length of a POST. It shows what the loop and the sockets of libuv cost. Usage: uv_http PORT
 *
 * An answer is tried at once and queued only when the socket is full, as libuv's manual advises for small writes. Bytes of
 * a request that has not come as a whole stay with the connection. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <uv.h>

enum { LARGE = 100 * 1024, KEPT_MAX = 1 << 20 };

struct connection {
    uv_tcp_t tcp;
    char *kept; /* what has come of a request that is not whole */
    size_t length;
};

struct pending {
    uv_write_t write;
    char bytes[];
};

static char input[64 * 1024]; /* one for all: a read is dealt with before the next */
static char large[LARGE];
static char *out; /* the answers to all that one read brought */
static size_t out_length, out_room;
static char date[64];
static time_t date_second;

static void put(const void *bytes, size_t length) {
    if (out_length + length > out_room) {
        out_room = 2 * (out_length + length);
        out = realloc(out, out_room);
        if (!out) abort();
    }
    memcpy(out + out_length, bytes, length);
    out_length += length;
}

static void answer(const char *status, const char *body, size_t length) {
    struct timespec now;
    char head[256];
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != date_second) {
        struct tm parts;
        date_second = now.tv_sec;
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&date_second, &parts));
    }
    put(head, (size_t)snprintf(head, sizeof head,
                               "HTTP/1.1 %s\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\ndate: %s\r\n\r\n",
                               status, length, date));
    put(body, length);
}

/* Whether the request line, which starts here, begins with these words. */
#define IS(line, words) (!strncmp(line, words " ", sizeof words))

static void answer_get(const char *path) {
    static const char route[] = "/route/1";
    char body[16];
    if (IS(path, "/plaintext")) {
        answer("200 OK", "Hello, World!", 13);
    } else if (IS(path, "/100k")) {
        answer("200 OK", large, LARGE);
    } else if (!strncmp(path, route, sizeof route - 1) && path[8] >= '0' && path[8] <= '9' && path[9] >= '0' &&
               path[9] <= '9' && path[10] == ' ') {
        answer("200 OK", body, (size_t)snprintf(body, sizeof body, "route 1%.2s", path + 8));
    } else {
        answer("404 Not Found", "", 0);
    }
}

/* Answers the whole requests that start here, and gives how many bytes they were; negative when one is none. */
static ssize_t answer_all(const char *bytes, size_t length) {
    size_t used = 0;
    while (used < length) {
        const char *head = bytes + used, *end = memmem(head, length - used, "\r\n\r\n", 4);
        if (!end) break;
        size_t size = (size_t)(end - head) + 4;
        if (!strncmp(head, "GET ", 4)) {
            answer_get(head + 4);
        } else if (IS(head, "POST /echo-length")) {
            const char *field = strcasestr(head, "\r\ncontent-length:"); /* the head's end is far behind it, or there is none */
            long body = field && field < end ? strtol(field + 17, NULL, 10) : 0;
            char text[24];
            if (body < 0 || body > KEPT_MAX) return -1;
            if (length - used < size + (size_t)body) break;
            size += (size_t)body;
            answer("200 OK", text, (size_t)snprintf(text, sizeof text, "%ld", body));
        } else {
            return -1;
        }
        used += size;
    }
    return (ssize_t)used;
}

static void on_closed(uv_handle_t *handle) {
    free(((struct connection *)handle)->kept);
    free(handle);
}

static void on_written(uv_write_t *write, int status) {
    (void)status; /* a broken connection is told by its read as well */
    free(write);
}

static void send_out(uv_stream_t *stream) {
    uv_buf_t now = uv_buf_init(out, (unsigned)out_length);
    int sent = uv_try_write(stream, &now, 1); /* nothing is sent while an earlier answer waits, so the order holds */
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done < out_length && (sent >= 0 || sent == UV_EAGAIN)) {
        struct pending *rest = malloc(sizeof *rest + out_length - done);
        if (!rest) abort();
        memcpy(rest->bytes, out + done, out_length - done);
        uv_buf_t later = uv_buf_init(rest->bytes, (unsigned)(out_length - done));
        if (uv_write(&rest->write, stream, &later, 1, on_written)) free(rest);
    }
    out_length = 0;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
    (void)handle, (void)size;
    *buffer = uv_buf_init(input, sizeof input - 1);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct connection *self = (struct connection *)stream;
    const char *bytes = buffer->base;
    size_t have = (size_t)length;
    if (length == 0) return;
    if (length < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    input[have] = 0; /* searches for text end here at the latest */
    if (self->length) {
        self->kept = realloc(self->kept, self->length + have + 1);
        if (!self->kept) abort();
        memcpy(self->kept + self->length, input, have + 1);
        bytes = self->kept;
        have += self->length;
    }
    ssize_t used = answer_all(bytes, have);
    if (used < 0 || have - (size_t)used > KEPT_MAX) {
        out_length = 0;
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    size_t left = have - (size_t)used;
    char *kept = NULL;
    if (left) {
        kept = malloc(left + 1);
        if (!kept) abort();
        memcpy(kept, bytes + used, left + 1);
    }
    free(self->kept);
    self->kept = kept;
    self->length = left;
    if (out_length) send_out(stream);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct connection *self;
    if (status || !(self = calloc(1, sizeof *self))) return;
    uv_tcp_init(listener->loop, &self->tcp);
    if (uv_accept(listener, (uv_stream_t *)self)) {
        uv_close((uv_handle_t *)self, on_closed);
        return;
    }
    uv_tcp_nodelay(&self->tcp, 1);
    uv_read_start((uv_stream_t *)self, on_alloc, on_read);
}

int main(int count, char **words) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    if (count != 2) return 2;
    signal(SIGPIPE, SIG_IGN);
    for (int line = 0; line < LARGE / 8; line++) {
        char text[9];
        snprintf(text, sizeof text, "%07d\n", line);
        memcpy(large + 8 * line, text, 8);
    }
    uv_ip4_addr("127.0.0.1", atoi(words[1]), &address);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0)) return 1;
    if (uv_listen((uv_stream_t *)&listener, 4096, on_connection)) return 1;
    return uv_run(loop, UV_RUN_DEFAULT);
}
