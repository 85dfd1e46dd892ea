# frozen_string_literal: true

require_relative 'connection'
require_relative 'protocol/codec'
require_relative 'protocol/errors'
require_relative 'session_end'

module Agentworks
  # A session's own WebSocket, straight to the object that keeps it. The agent's connection stays for everything else. Until it is up the
  # session works over the agent's connection; from then on over this one only. A refusal for good, or a final close, ends the session.
  # Everything here happens with the lock held.
  class Direct
    # @param agent [LiveAgent]
    # @param session [LiveSession]
    def initialize(agent, session, uri, setup)
      @agent = agent
      @session = session
      # When the agent's connection is made anew in the same moment, its attachment may overtake this one: that is no other process. One
      # that really takes the agent over closes the agent's connection, and that ends everything.
      superseded = Protocol::CloseCode::SUPERSEDED
      @connection = Connection.new(URI.join(uri, "/v1/sessions/#{session.id}"), setup, self, not_final: superseded)
      @connection.start
    end

    def stop
      @connection.stop(Connection::NORMAL_CLOSURE, 'the session has ended')
    end

    def renew(reason)
      @connection.renew(reason)
    end

    # --- what the connection tells

    def opened
      @session.route = @connection
      @session.connected
      Protocol::Codec.pack_frames(@session.lines)
    end

    def frame(envelopes)
      @agent.frame(envelopes)
    end

    def lost(ending, will_reconnect)
      @agent.tell(
        :disconnected, code: ending.code, reason: ending.reason, will_reconnect: will_reconnect, session: @session.facade
      )
    end

    def retrying(attempt, delay_ms)
      @agent.tell(:reconnecting, attempt: attempt, delay_ms: delay_ms, session: @session.facade)
    end

    def stopped(error)
      @session.finish(SessionEnd.failed(error))
    end
  end
end
