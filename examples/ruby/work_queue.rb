# frozen_string_literal: true

# Several workers behind one capability: the broker gives each session to one that is connected and has room. Start as many workers as you
# like, and kill one while it works: with its journal, it goes on with the job when it is started again. Needs a running broker
# (npm start):
#
#   npx agentworks agent create worker-1      # and worker-2 …, and planner
#   ruby -I sdk/ruby/lib examples/ruby/work_queue.rb work worker-1
#   ruby -I sdk/ruby/lib examples/ruby/work_queue.rb submit planner 20

require 'agentworks'

CAPABILITY = 'count-words'
DAY_MS = 24 * 60 * 60 * 1000

def connect(agent, &block)
  identity = ".agentworks/agents/#{agent}"
  Agentworks.connect(
    url: ENV.fetch('AGENTWORKS_URL', 'wss://localhost:8443'), ca: '.agentworks/ca.pem',
    certificate: "#{identity}/cert.pem", key: "#{identity}/key.pem", journal: "#{identity}/journal", &block
  )
end

# Until Ctrl-C: then it ends what it has begun.
def work(name)
  connect(name) do |agent|
    agent.handle(CAPABILITY, max_concurrency: 2) do |text, task|
      puts "#{name} counts#{' again' if task.redelivered?}: #{text}"
      sleep 0.2
      text.split.length
    end
    puts "#{name} waits for work (Ctrl-C ends it)"
    agent.serve
  end
  puts "#{name} has gone home"
end

# Each job has a session of its own, so that it goes to whoever has room at that moment.
def submit(name, count)
  connect(name) do |agent|
    Array.new(count) { |number| Thread.new { ask(agent, number) } }.each(&:join)
  end
end

def ask(agent, number)
  agent.open(capability: CAPABILITY, wait_ms: DAY_MS) do |session|
    words = session.request(CAPABILITY, "job number #{number} of many").result
    puts "job #{number}: #{words} words, counted by #{session.peer}"
  end
rescue Agentworks::Error => e
  puts "job #{number}: #{e.message}"
end

case ARGV
in ['work', name] then work(name)
in ['submit', name] then submit(name, 10)
in ['submit', name, count] then submit(name, Integer(count))
else abort 'Usage: work_queue.rb work AGENT | submit AGENT [JOBS]'
end
