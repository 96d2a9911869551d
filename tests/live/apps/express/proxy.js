'use strict'
// A gateway made of Express and http-proxy-middleware, which most Node proxies are made of.
//
// Settings (JSON, the only argument): host, port, proxyTimeout (ms), routes (path prefix -> target).
// access.log: morgan, combined, with the response time and the request's id. app.log: winston, JSON,
// one line for each proxied request that failed, with the error's code. The laboratory's own headers
// are passed on and never logged.

const fs = require('fs')
const http = require('http')
const https = require('https')
const { randomUUID } = require('crypto')
const express = require('express')
const morgan = require('morgan')
const winston = require('winston')
const { createProxyMiddleware } = require('http-proxy-middleware')

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const logger = winston.createLogger({
  format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
  transports: [new winston.transports.File({ filename: 'logs/app.log' })]
})
// Connections are kept and used again, as one does for speed.
const agents = {
  'http:': new http.Agent({ keepAlive: true }),
  'https:': new https.Agent({ keepAlive: true, rejectUnauthorized: false })
}

const app = express()
app.disable('x-powered-by')
app.use((req, res, next) => {
  req.id = req.headers['x-request-id'] ?? randomUUID()
  req.headers['x-request-id'] = req.id
  req.began = Date.now()
  res.setHeader('X-Request-Id', req.id)
  next()
})
morgan.token('id', req => req.id)
app.use(morgan(':remote-addr - :remote-user [:date[clf]] ":method :url HTTP/:http-version" :status :res[content-length] ":referrer" ":user-agent" :response-time ms :id',
  { stream: fs.createWriteStream('logs/access.log', { flags: 'a' }) }))

function failed (target) {
  return (error, req, res) => {
    logger.error('proxy error', {
      code: error.code,
      error: error.message,
      method: req.method,
      url: req.originalUrl,
      target,
      requestId: req.id,
      reusedSocket: req.upstream?.reusedSocket,
      elapsed: Date.now() - req.began
    })
    if (!res.headersSent) res.status(502)
    res.end('Bad Gateway')
  }
}

for (const [prefix, target] of Object.entries(settings.routes)) {
  app.use(createProxyMiddleware({
    target,
    pathFilter: prefix,
    agent: agents[new URL(target).protocol],
    proxyTimeout: settings.proxyTimeout,
    xfwd: true,
    on: { error: failed(target), proxyReq: (upstream, req) => { req.upstream = upstream } }
  }))
}

app.listen(settings.port, settings.host, error => {
  if (error) throw error
  logger.info('listening', { host: settings.host, port: settings.port })
})
process.on('SIGTERM', () => process.exit(0))
