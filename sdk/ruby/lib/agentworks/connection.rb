# frozen_string_literal: true

require_relative 'backoff'
require_relative 'error'
require_relative 'protocol/errors'
require_relative 'socket'

module Agentworks
  # What every connection of an agent shares. `reconnect` is a Backoff, or false: one loss is the end. `random` gives numbers
  # in [0, 1).
  ConnectionSetup = Struct.new(:credentials, :timing, :reconnect, :random, :lock, :loop, keyword_init: true)

  # A WebSocket that comes back: dials, dials again with jitter after every loss, and stops for good after a final one.
  # Everything here happens with the lock held.
  class Connection
    # @return [Error, nil] why the latest attempt failed
    attr_reader :failure

    # @param events has `opened` (gives the first frames), `frame(envelopes)`, `lost(SocketEnd, will_reconnect)`,
    #   `retrying(attempt, delay_ms)` and `stopped(error)`, the last of all
    # @param not_final [Integer, nil] a close code that is final by its number, and not for this connection
    def initialize(uri, setup, events, not_final: nil)
      @uri = uri
      @setup = setup
      @events = events
      @not_final = not_final
      @attempt = 0
      # It has worked at least once: what looks like a wrong set-up is then a passing failure.
      @proven = false
      @stopped = false
    end

    def open?
      @socket&.open? || false
    end

    # Dials for the first time.
    def start
      dial
    end

    # The broker spoke sense: the next loss starts with the shortest wait again.
    def settled
      @attempt = 0
      @proven = true
    end

    def send_frames(frames)
      frames.each { |frame| @socket.send_frame(frame) }
    end

    # The broker asks the client to come anew, or its certificate is a new one: this connection ends, or its dial does, and the next one is
    # dialled after one short wait.
    def renew(reason)
      return if @socket.nil?

      @socket.close(NORMAL_CLOSURE, 'asked to connect anew')
      @attempt = 0
      ended(@socket, SocketEnd.new(Protocol::CloseCode::DRAINING, reason, nil))
    end

    # Ends it; no event follows.
    def stop(code, reason)
      @stopped = true
      @timer&.cancel
      @socket&.close(code, reason)
      @socket = nil
    end

    NORMAL_CLOSURE = 1000

    # What a socket tells, for as long as it is the one.
    Listener = Struct.new(:connection) do
      attr_accessor :socket

      def opened
        connection.opened(socket)
      end

      def frame(envelopes)
        connection.frame(socket, envelopes)
      end

      def ended(ending)
        connection.ended(socket, ending)
      end
    end
    private_constant :Listener

    # @api private
    def opened(socket)
      return unless socket.equal?(@socket)

      @events.opened.each { |frame| socket.send_frame(frame) }
      @setup.loop.wake
    end

    # @api private
    def frame(socket, envelopes)
      @events.frame(envelopes) if socket.equal?(@socket)
    end

    # @api private
    def ended(socket, ending)
      return unless socket.equal?(@socket)

      @socket = nil
      @failure = error_of(ending)
      closed = Protocol::CloseCode.final?(ending.code) && ending.code != @not_final
      final = closed || (ending.refused && !passing?(ending.refused))
      will_reconnect = !final && @setup.reconnect ? true : false
      @events.lost(ending, will_reconnect)
      return if @stopped

      will_reconnect ? retry_soon : give_up
    end

    private

    def dial
      listener = Listener.new(self)
      listener.socket = @socket = Socket.new(@uri, @setup, listener)
    end

    def retry_soon
      delay_ms = @setup.reconnect.wait_ms(@attempt, @setup.random.call)
      @attempt += 1
      @events.retrying(@attempt, delay_ms)
      @timer = @setup.loop.after(delay_ms / 1000.0) { dial unless @stopped }
    end

    def give_up
      @stopped = true
      @events.stopped(@failure)
    end

    # A failed TLS handshake is a wrong CA at first, and something on the way later.
    def passing?(refused)
      refused.retryable? && (@proven || !%i[broker_untrusted certificate_refused].include?(refused.reason))
    end

    def error_of(ending)
      return ending.refused if ending.refused

      why = ending.reason.empty? ? ending.code.to_s : "#{ending.code}, #{ending.reason}"
      if ending.code == Protocol::CloseCode::SUPERSEDED then Errors.client(:superseded)
      elsif Protocol::CloseCode.final?(ending.code)
        Errors.client(:connection_refused, "The broker closed the connection for good (#{why}).")
      else
        Errors.client(:connection_failed, "The connection was lost (#{why}).")
      end
    end
  end
end
