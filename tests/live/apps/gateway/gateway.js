'use strict'
// Edge Microgateway's engine with a configuration file as the product caches it.
//
// Arguments: the configuration (YAML), organisation, environment, and the host name that the name
// of its log shall show. It has no plugins: nothing is authenticated, nothing is counted.

const fs = require('fs')
const os = require('os')
const yaml = require('js-yaml')

const [file, organisation, environment, hostname] = process.argv.slice(2)
os.hostname = () => hostname
process.env.CurrentOrgName = organisation
process.env.CurrentEnvironmentName = environment

const gateway = require('microgateway-core')(yaml.load(fs.readFileSync(file, 'utf8')))
gateway.start(error => {
  if (error) throw error
})
process.on('SIGTERM', () => process.exit(0))
