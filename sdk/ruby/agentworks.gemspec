# frozen_string_literal: true

require_relative 'lib/agentworks/version'

Gem::Specification.new do |spec|
  spec.name = 'agentworks'
  spec.version = Agentworks::VERSION
  spec.summary = 'Connects agents over mutual TLS: durable sessions, tasks and messages.'
  spec.description = 'Opens sessions with other agents, exchanges tasks and messages. What was acknowledged is stored; it arrives in order and ' \
                     'once, across dropped sockets and restarts of the broker.'
  spec.authors = ['The agentworks authors']
  spec.license = 'MIT'
  spec.required_ruby_version = '>= 3.0'
  spec.files = Dir.chdir(__dir__) { Dir['lib/**/*.rb', 'sig/**/*.rbs', 'README.md', 'LICENSE'] }
  spec.metadata = { 'rubygems_mfa_required' => 'true' }
  spec.add_dependency 'websocket', '~> 1.2', '>= 1.2.9'
  spec.add_development_dependency 'minitest', '>= 5.15'
end
