# frozen_string_literal: true

# A program that keeps a journal and is killed again and again: it sends numbers, reads them, or performs tasks, and writes down what it did.
#   ruby journal_program.rb send|read|perform CREDENTIALS JOURNAL LEDGER COUNT
require 'json'
require_relative '../../lib/agentworks'

role, credentials, journal, ledger, count = ARGV
known = File.exist?(journal) && File.read(journal).include?('"epoch"')
agent = Agentworks.connect(**JSON.parse(credentials, symbolize_names: true), journal: journal, timeout: 60)
# Whoever kills it counts these.
step = -> { $stdout.syswrite("step\n") }
note = ->(text) { File.write(ledger, "#{text}\n", mode: 'a') }

case role
when 'send'
  session = known ? agent.sessions.next(timeout: 60) : agent.open('receiver', wait_ms: 30_000)
  (session.sent...count.to_i).each do |number|
    receipt = session.wait_ready.send_message(number)
    receipt.stored if (number % 10).zero?
    step.call
  end
  session.close
when 'read'
  session = agent.sessions.next(timeout: 60)
  session.messages.each do |message|
    note.call(message.content)
    step.call
  end
when 'perform'
  agent.handle('work', max_concurrency: 4) do |number, task|
    note.call("#{number} #{task.redelivered?}")
    step.call
    task.progress(number)
    number
  end
  agent.join
end
agent.drain
note.call('finished')
