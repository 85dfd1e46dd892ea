# frozen_string_literal: true

# The echo agent that `npm run conformance -- client` tests (docs/CONFORMANCE.md), over the Ruby SDK.
require_relative '../../sdk/ruby/lib/agentworks'

# What fails with its session is no failure of this program.
def leave(&work)
  Thread.new do
    work.call
  rescue Agentworks::Error
    nil
  end
end

def say(session, content)
  session.send_message(content)
rescue Agentworks::Error
  nil
end

def request(session, input)
  result = session.request('echo', input).result
  say(session, { status: 'succeeded', result: result })
rescue Agentworks::TaskFailed
  say(session, { status: 'failed' })
rescue Agentworks::TaskExpired
  say(session, { status: 'expired' })
rescue Agentworks::TaskCancelled
  say(session, { status: 'cancelled' })
end

def obey(agent, session, order)
  case order['do']
  when 'wait' then sleep(order['ms'] / 1000.0)
  when 'send' then (1..order['count']).each { |number| say(session, number) }
  when 'request' then leave { request(session, order['input']) }
  when 'open' then leave { say(agent.open(session.peer, wait_ms: 10_000), 'opened') }
  when 'close' then leave { session.close('told to') }
  end
end

def converse(agent, session)
  session.messages.each do |message|
    content = message.content
    if content.is_a?(Hash) && content['do'].is_a?(String)
      obey(agent, session, content)
    else
      say(session, content)
    end
  end
end

agent = Agentworks.connect(
  url: ENV.fetch('AGENTWORKS_URL'), ca: ENV.fetch('AGENTWORKS_CA'), certificate: ENV.fetch('AGENTWORKS_CERT'),
  key: ENV.fetch('AGENTWORKS_KEY')
)
leave do
  agent.handle('echo') do |input|
    sleep(input['ms'] / 1000.0) if input.is_a?(Hash) && input['ms'].is_a?(Numeric)
    input
  end
end
agent.sessions.each { |session| leave { converse(agent, session) } }
