# frozen_string_literal: true

require_relative 'channel'
require_relative 'live_session'
require_relative 'protocol/client'
require_relative 'protocol/limits'
require_relative 'recent'

module Agentworks
  # Which sessions an agent has: those that are open, each with a direct connection where that is wanted; those that ended here; those that
  # wait for somebody to read them; and those that an earlier life left. What happens in a session is decided elsewhere. Everything here
  # happens with the lock held.
  class Sessions
    include Enumerable

    # @return [Channel] sessions that this program did not open
    attr_reader :incoming

    # @param agent [LiveAgent]
    # @yield [LiveSession] opens a session's direct connection; nil: it has none
    def initialize(agent, &dial)
      @agent = agent
      @dial = dial
      @incoming = Channel.new(agent.lock)
      @open = {}
      # Ended sessions that are remembered, lest the broker's list bring one back: as many as may be open at all.
      @ended_here = Recent.new(Protocol::Limits::OPEN_SESSIONS_MAX)
      @directs = {}
    end

    # Those that are open, or on their way there.
    def each(&block)
      @open.each_value(&block)
    end

    # @return [LiveSession, nil]
    def [](session_id)
      @open[session_id]
    end

    # Puts a session on its way.
    # @return [LiveSession]
    def begin_session(core, memory = nil)
      refusal = @agent.refusal
      raise refusal if refusal

      session = LiveSession.new(core, @agent, memory)
      @open[session.id] = session
      @agent.outlet.wake(session)
      session
    end

    # Sessions that this program knows nothing of were an earlier life's; those that it saw end are none of them. What the journal remembers is
    # resumed from there, whether or not the broker lists it: how it ended is told then.
    def recover(listed)
      mint = @agent.mint
      (@agent.journal ? @agent.journal.memory.sessions.values : []).each do |memory|
        begin_session(Protocol::ClientSession.recall(memory.remembered, mint), memory) unless known?(memory.session)
      end
      listed.each do |one|
        session_id = one['session_id']
        begin_session(Protocol::ClientSession.recover(session_id, one['peer'], mint)) unless known?(session_id)
      end
    end

    def opened(session)
      @agent.tell(:session_opened, session: session.facade)
      @incoming.push(session.facade) if session.offered?
      direct = @dial.call(session)
      @directs[session.id] = direct if direct
    end

    def ended(session, ending)
      @open.delete(session.id)
      @ended_here.add(session.id)
      @directs.delete(session.id)&.stop
      # One that nobody asked for, and that left nothing to read, need not be kept for a reader.
      @incoming.remove(session.facade) unless session.messages.unread?
      @agent.tell(:session_closed, session: session.facade, reason: ending.reason, error: ending.error)
    end

    # Makes their direct connections anew.
    def renew(reason)
      @directs.values.each { |connection| connection.renew(reason) }
    end

    # The agent is over, and they with it.
    def stop(error)
      to_a.each { |session| session.stop(error) }
    end

    private

    def known?(session_id)
      @open.key?(session_id) || @ended_here.include?(session_id)
    end
  end
end
