# frozen_string_literal: true

# Speed of the Ruby SDK: a sender with so many messages in flight, to a receiver in a process of its own, each on one core. A message
# counts when it is stored and acknowledged; the last line is JSON. Needs a running broker and two certified agents.
#
#   ruby bench/sdk/ruby.rb --url wss://localhost:8443 --ca ca.pem --sender FOLDER --receiver FOLDER [--messages N]
#                          [--in-flight 256] [--bytes 512] [--direct]
#
# FOLDER holds an agent's cert.pem and key.pem, and is called as the agent is.

require 'json'
require 'optparse'
require_relative '../../sdk/ruby/lib/agentworks'

options = { messages: 20_000, 'in-flight': 256, bytes: 512, role: 'sender' }
OptionParser.new do |parser|
  parser.on('--url URL')
  parser.on('--ca FILE')
  parser.on('--sender FOLDER')
  parser.on('--receiver FOLDER')
  parser.on('--messages N', Integer)
  parser.on('--in-flight N', Integer)
  parser.on('--bytes N', Integer)
  parser.on('--direct')
  parser.on('--role ROLE')
end.parse!(into: options)

credentials = lambda do |folder|
  {
    url: options[:url], ca: options[:ca], certificate: "#{folder}/cert.pem", key: "#{folder}/key.pem",
    direct: options.fetch(:direct, false), recover: false
  }
end

# Reads until its input ends: the process that started it has gone.
def receive(credentials)
  Agentworks.connect(**credentials) do |agent|
    reader = Thread.new { agent.sessions.each { |session| session.messages.each { |_message| nil } } }
    puts 'ready'
    $stdout.flush
    $stdin.read
    agent.close
    reader.join
  end
end

# @return [Array(Float, Float)] seconds, and seconds of this process's processor
def send_all(session, count, in_flight, content)
  started = [Agentworks::Clock.now, Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)]
  receipts = []
  count.times do
    receipts.shift.stored if receipts.length == in_flight
    receipts << session.send_message(content)
  end
  receipts.each(&:stored)
  [Agentworks::Clock.now - started[0], Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - started[1]]
end

if options[:role] == 'receiver'
  receive(credentials.call(options[:receiver]))
  exit
end

flags = %i[url ca receiver].flat_map { |name| ["--#{name}", options[name]] }
IO.popen([RbConfig.ruby, __FILE__, '--role', 'receiver', *flags], 'r+') do |receiver|
  raise 'the receiver did not start' unless receiver.gets&.strip == 'ready'

  Agentworks.connect(**credentials.call(options[:sender])) do |agent|
    agent.open(File.basename(options[:receiver])) do |session|
      content = 'x' * options[:bytes]
      # The first messages warm up every code path, and are not counted.
      send_all(session, options[:messages] / 10, options[:'in-flight'], content)
      seconds, processor = send_all(session, options[:messages], options[:'in-flight'], content)
      puts JSON.generate(
        'messagesPerSecond' => (options[:messages] / seconds).round,
        'cpuMicrosPerMessage' => (processor * 1e6 / options[:messages]).round(1)
      )
    end
  end
  receiver.close_write
end
