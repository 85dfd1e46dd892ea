# frozen_string_literal: true

require_relative 'clock'
require_relative 'protocol/codec'
require_relative 'protocol/limits'

module Agentworks
  # Gathers what the sessions of an agent and the agent itself have to send, and sends it once per turn of the loop: all that one
  # turn brings shares frames. Everything here happens with the lock held.
  class Outlet
    # Between frames while the broker finds them too many, in seconds.
    SLOW_FLUSH = 0.005
    private_constant :SLOW_FLUSH

    # @param connection the agent's own: for everything that has no route of its own
    def initialize(loop, &connection)
      @loop = loop
      @connection = connection
      @sessions = {}
      # They have taken what came, and have not said so yet.
      @owing = {}
      @owing_timer = nil
      @lines = []
      @slow_until = 0
      @slow_timer = nil
    end

    # The session has lines.
    def wake(session)
      @sessions[session] = true
      @loop.wake
    end

    # The session owes a receipt, which may wait for company.
    def owe(session)
      @owing[session] = true
      @owing_timer ||= @loop.after(Protocol::Limits::RECEIPT_DELAY_MS / 1000.0) { settle_owing }
    end

    def forget(session)
      @sessions.delete(session)
      @owing.delete(session)
    end

    # A line that is no session's: sent once, lost with the connection.
    def line(line)
      @lines << line
      @loop.wake
    end

    # A new connection begins with lines of its own making.
    def drop_lines
      @lines = []
    end

    # The broker says that frames come too fast: for a while they wait for company.
    def slow_down
      @slow_until = Clock.now + (Protocol::Limits::RATE_WARNINGS_WITHIN_MS / 1000.0)
    end

    # A turn has ended: what it brought goes.
    def flush
      return if (@sessions.empty? && @lines.empty?) || @slow_timer

      if Clock.now < @slow_until
        @slow_timer = @loop.after(SLOW_FLUSH) do
          @slow_timer = nil
          send_all
        end
      else
        send_all
      end
    end

    # What these sessions have goes at once, their receipts too.
    def settle(sessions)
      send_sessions(sessions, :now, [])
    end

    private

    def send_all
      sessions = @sessions
      @sessions = {}
      lines = @lines
      @lines = []
      send_sessions(sessions.keys, :later, lines)
    end

    # L17: receipts that found no company in time go alone.
    def settle_owing
      @owing_timer = nil
      owing = @owing
      @owing = {}
      settle(owing.keys)
    end

    def send_sessions(sessions, receipts, lines)
      connection = @connection.call
      sessions.each do |session|
        route = session.route
        # What waits for a connection that is down is asked for again when it is up.
        next unless session.kept? && (route || connection).open?

        if route.nil? then lines.concat(session.lines(receipts))
        else route.send_frames(Protocol::Codec.pack_frames(session.lines(receipts)))
        end
        owe(session) if session.owes_receipt?
      end
      connection.send_frames(Protocol::Codec.pack_frames(lines)) if !lines.empty? && connection.open?
    end
  end
end
