import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'

/** A directory by @fastify/static, as a program of its own. Arguments: directory, address. */
const [root = '', host = ''] = process.argv.slice(2)
const server = Fastify()
await server.register(fastifyStatic, { root })
await server.listen({ host, port: 8080, backlog: 4096 })
