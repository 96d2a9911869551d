'use strict'
// The shop: a plain Node http server that logs with pino-http, as many do.
//
// Settings (JSON, the only argument): host, port, keepAliveTimeout (ms, optional), hostname
// (as logged), idHeader (the request header that carries the request's id; without it pino counts),
// idFallback ("uuid": a request without that header gets an id of the application's own), and
// clockOffset (ms by which the clock of the host is wrong, as the log shows it), and noHint (the
// answers do not say for how long an idle connection is kept, as most servers' do not).
//
// Two request headers belong to the laboratory and are taken off before anything is logged:
//   x-lab-token   names the request in the side channel
//   x-lab-fault   what to do to it (see FAULTS); the prefix "once:" means the first time only
// The side channel (file LAB_SIDE, JSON lines, times in ms) tells what really arrived: "open",
// "req", "res" and "close", the last with the idle time since the connection's last response.

const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const path = require('path')
const modules = path.join(__dirname, '..', 'node_modules')
const pino = require(path.join(modules, 'pino'))
const pinoHttp = require(path.join(modules, 'pino-http'))

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const side = process.env.LAB_SIDE ? fs.openSync(process.env.LAB_SIDE, 'a') : null
const seen = new Set()
let connections = 0

function note (what) {
  if (side !== null) fs.writeSync(side, JSON.stringify({ t: Date.now(), pid: process.pid, ...what }) + '\n')
}

function ownId () {
  return settings.idFallback === 'uuid' ? crypto.randomUUID() : undefined
}

const httpLogger = pinoHttp({
  base: { pid: process.pid, hostname: settings.hostname },
  genReqId: settings.idHeader ? req => req.headers[settings.idHeader] ?? ownId() : undefined,
  timestamp: () => `,"time":${Date.now() + (settings.clockOffset ?? 0)}`,
  serializers: {
    req: ({ id, method, url, remoteAddress, remotePort }) => ({ id, method, url, remoteAddress, remotePort }),
    res: ({ statusCode }) => ({ statusCode }),
    // A stack is kept, without the directories of the installation.
    err: err => ({ type: err.type, message: err.message, stack: err.stack.replace(/\((?:.*\/)?([^/]+)\)/g, '($1)').split('\n').slice(0, 3).join('\n') })
  }
})

function take (req, name) {
  const value = req.headers[name]
  delete req.headers[name]
  return value
}

function busy (ms) {
  const end = process.hrtime.bigint() + BigInt(ms) * 1000000n
  while (process.hrtime.bigint() < end);
}

// What a request costs and returns follows from its path alone, but for some spread.
function shape (url) {
  let hash = 7
  for (const char of url.split('?')[0]) hash = (hash * 31 + char.charCodeAt(0)) >>> 0
  return { ms: 2 + (hash % 40) + Math.floor(-Math.log(1 - Math.random()) * 12), bytes: 180 + (hash >>> 3) % 9000 }
}

function statusFor (req) {
  if (req.url.startsWith('/wp-') || req.url.startsWith('/old/')) return 404
  if (req.url.startsWith('/account') && !req.headers.cookie) return 401
  return req.method === 'POST' ? 201 : 200
}

function answer (req, res, status = statusFor(req), more = {}) {
  const bytes = status === 404 ? 22 : shape(req.url).bytes
  const body = JSON.stringify({ data: 'x'.repeat(bytes) })
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...more })
  res.end(req.method === 'HEAD' ? undefined : body)
}

const HALF = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n' + 'x'.repeat(1200)
const FAULTS = {
  // The answer comes after so many ms.
  slow: (req, res, ms) => setTimeout(() => answer(req, res), +ms),
  // The event loop is blocked for so many ms, then the answer comes.
  block: (req, res, ms) => { busy(+ms); answer(req, res) },
  // Before any byte of the response the connection is closed (FIN) or reset (RST).
  fin: (req, res, ms) => setTimeout(() => req.socket.destroy(), +ms),
  rst: (req, res, ms) => setTimeout(() => req.socket.resetAndDestroy(), +ms),
  // The connection is closed in the middle of the response header.
  partial: (req, res, ms) => setTimeout(() => req.socket.end('HTTP/1.1 200 OK\r\nContent-Type: applica'), +ms),
  // Something that is not HTTP comes instead of a status line.
  garbage: (req, res, ms) => setTimeout(() => req.socket.end('\x00\x17SESSION=9 READY cluster-2\r\n'), +ms),
  // A response header of so many bytes.
  bighdr: (req, res, bytes) => setTimeout(() => answer(req, res, 200, { 'Set-Cookie': 'basket=' + 'a'.repeat(+bytes) }), 30),
  // The application answers with this status itself.
  status: (req, res, status) => setTimeout(() => answer(req, res, +status), shape(req.url).ms),
  // The body stops early: connection closed, connection reset, or nothing for ever.
  cut: (req, res, ms) => { req.socket.write(HALF); setTimeout(() => req.socket.destroy(), +ms) },
  cutrst: (req, res, ms) => { req.socket.write(HALF); setTimeout(() => req.socket.resetAndDestroy(), +ms) },
  cutstall: (req, res) => { req.socket.write(HALF) },
  // A normal answer; FOR ms of blocked event loop begin AT ms later ("stall=AT,FOR"). Not inside a
  // timer's callback: as with any real work, timers that fell due meanwhile run before reading.
  stall: (req, res, at, length) => setTimeout(() => {
    answer(req, res)
    setTimeout(() => setImmediate(() => busy(+length)), +at)
  }, 25)
}

// "100-400" is a number drawn from that range.
function draw (arg) {
  const [low, high] = arg.split('-').map(Number)
  return high ? low + Math.floor(Math.random() * (high - low)) : arg
}

function run (req, res, fault, token) {
  const once = fault && fault.startsWith('once:')
  const again = once && seen.has(token)
  seen.add(token)
  if (!fault || again) return setTimeout(() => answer(req, res), shape(req.url).ms)
  const [name, args = ''] = fault.replace('once:', '').split('=')
  FAULTS[name](req, res, ...args.split(',').map(draw))
}

const server = http.createServer((req, res) => {
  const fault = take(req, 'x-lab-fault')
  const token = take(req, 'x-lab-token')
  const { lab } = req.socket
  note({ e: 'req', token, conn: lab.id, nth: ++lab.served })
  res.on('finish', () => { lab.last = Date.now(); note({ e: 'res', token, conn: lab.id, status: res.statusCode }) })
  httpLogger(req, res)
  if (settings.noHint) res.setHeader('Connection', 'keep-alive')
  req.resume() // The body is of no interest, but must be read for the connection to be reused.
  run(req, res, fault, token)
})

server.on('connection', socket => {
  socket.lab = { id: ++connections, served: 0, last: 0 }
  note({ e: 'open', conn: socket.lab.id, port: socket.remotePort })
  socket.on('close', () => {
    const { id, served, last } = socket.lab
    note({ e: 'close', conn: id, port: socket.remotePort, served, idle: last ? Date.now() - last : null })
  })
})
if (settings.keepAliveTimeout !== undefined) server.keepAliveTimeout = settings.keepAliveTimeout
server.listen({ host: settings.host, port: settings.port, backlog: settings.backlog })
process.on('SIGTERM', () => process.exit(0))
