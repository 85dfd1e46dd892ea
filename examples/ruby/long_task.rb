# frozen_string_literal: true

# A task that takes its time: it tells how far it is, and stops when nobody wants it any more. Needs a running broker (npm start) and two
# certified agents:
#
#   npx agentworks agent create planner
#   npx agentworks agent create analyst
#   ruby -I sdk/ruby/lib examples/ruby/long_task.rb

require 'agentworks'

def connect(agent, &block)
  identity = ".agentworks/agents/#{agent}"
  Agentworks.connect(
    url: ENV.fetch('AGENTWORKS_URL', 'wss://localhost:8443'), ca: '.agentworks/ca.pem',
    certificate: "#{identity}/cert.pem", key: "#{identity}/key.pem", &block
  )
end

def train(plan, task)
  (1..plan['rounds']).each do |round|
    # Works a while; or hears at once that it is cancelled.
    if task.wait_cancelled(0.05)
      puts "  (the trainer cleans up in round #{round})"
      task.check_cancelled
    end
    task.progress({ round: round, of: plan['rounds'] })
  end
  { rounds: plan['rounds'] }
end

connect('analyst') do |analyst|
  analyst.handle('train', description: 'trains a model', max_concurrency: 1, &method(:train))
  connect('planner') do |planner|
    planner.open('analyst') do |session|
      task = session.request('train', { rounds: 5 })
      task.each_progress { |step| puts "round #{step['round']} of #{step['of']}" }
      puts "result: #{task.result}"

      task = session.request('train', { rounds: 1_000 }, deadline_ms: 15 * 60 * 1000)
      task.each_progress do |step|
        puts "round #{step['round']} of #{step['of']}"
        task.cancel('it is good enough') if step['round'] == 3
      end
      begin
        task.result
      rescue Agentworks::TaskCancelled => e
        puts e.reason
      end
    end
  end
end
