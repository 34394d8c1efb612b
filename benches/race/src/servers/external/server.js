// node's own HTTP server in one process, with a map of the routes. Usage: node server.js PORT
'use strict';
const http = require('node:http');

const answers = new Map([['/plaintext', 'Hello, World!']]);
for (let route = 100; route < 200; route++) answers.set(`/route/${route}`, `route ${route}`);
let large = '';
for (let line = 0; large.length < 102400; line++) large += `${String(line).padStart(7, '0')}\n`;
answers.set('/100k', Buffer.from(large));

function answer(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  response.end(body);
}

const server = http.createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/echo-length') {
    let length = 0;
    request.on('data', (piece) => { length += piece.length; });
    request.on('end', () => answer(response, 200, String(length)));
    return;
  }
  const body = request.method === 'GET' ? answers.get(request.url) : undefined;
  if (body === undefined) answer(response, 404, '');
  else answer(response, 200, body);
});
server.keepAliveTimeout = 600_000; // its default of five seconds would close idle connections of the load
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
