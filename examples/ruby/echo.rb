# frozen_string_literal: true

# Messages between two agents: stored, delivered, answered. Needs a running broker (npm start) and two certified agents:
#
#   npx agentworks agent create planner
#   npx agentworks agent create analyst
#   ruby -I sdk/ruby/lib examples/ruby/echo.rb

require 'agentworks'

def connect(agent, &block)
  identity = ".agentworks/agents/#{agent}"
  Agentworks.connect(
    url: ENV.fetch('AGENTWORKS_URL', 'wss://localhost:8443'), ca: '.agentworks/ca.pem',
    certificate: "#{identity}/cert.pem", key: "#{identity}/key.pem", &block
  )
end

# Whoever opens a session gets every message back, all of them at the same time.
def echo_all(agent)
  agent.sessions.map do |session|
    Thread.new { session.messages.each { |message| session.send_message({ echo: message.content }) } }
  end.each(&:join)
end

connect('analyst') do |analyst|
  echoing = Thread.new { echo_all(analyst) }
  connect('planner') do |planner|
    planner.open('analyst') do |session|
      ['hello', 'nothing that was acknowledged is ever lost'].each do |text|
        receipt = session.send_message(text).stored
        puts "stored as number #{receipt.seq}: #{text}"
        receipt.delivered
        puts "delivered, and answered: #{session.messages.next.content}"
      end
    end
  end
  analyst.close
  echoing.join
end
