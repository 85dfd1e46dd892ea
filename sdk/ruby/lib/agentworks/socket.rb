# frozen_string_literal: true

require_relative 'clock'
require_relative 'dial'
require_relative 'error'
require_relative 'frames'
require_relative 'heartbeat'
require_relative 'protocol/codec'
require_relative 'protocol/errors'
require_relative 'protocol/limits'

module Agentworks
  # How long is waited for what: seconds. Other values than the protocol's are for tests.
  Timing = Struct.new(:heartbeat_interval, :heartbeat_timeout, :ack_stall, :delivery_stall, keyword_init: true) do
    def self.usual
      limits = Protocol::Limits
      new(
        heartbeat_interval: limits::HEARTBEAT_INTERVAL_MS / 1000.0,
        heartbeat_timeout: limits::HEARTBEAT_TIMEOUT_MS / 1000.0,
        ack_stall: limits::ACK_STALL_MS / 1000.0,
        delivery_stall: limits::DELIVERY_STALL_MS / 1000.0
      )
    end
  end

  # How a socket ended: the close code, why, and, where it could not be opened, the error that says so.
  SocketEnd = Struct.new(:code, :reason, :refused)

  # One WebSocket from its dial to its end: mutual TLS, the subprotocol, the heartbeat, and why it could not be opened.
  # It reports once that it is over; what to do then is its owner's business. It is dialled in a thread of its own, and lives in the
  # loop's; its owner hears of it with the lock held.
  class Socket
    HEARTBEAT = '{"type":"HEARTBEAT"}'
    ABNORMAL = 1006
    NO_CODE = 1005
    CHUNK_BYTES = 64 * 1024
    # Reads of one turn: a flood must leave time for everything else.
    READS_MAX = 16
    # How long a socket that was closed waits for its last words to leave.
    LINGER = 1.0
    # Clocks may wake a little early.
    TICK = 0.001
    private_constant :HEARTBEAT, :ABNORMAL, :NO_CODE, :CHUNK_BYTES, :READS_MAX, :LINGER, :TICK

    # @param setup [ConnectionSetup]
    # @param events has `opened`, `frame(envelopes)` and `ended(SocketEnd)`, the last once; called with the lock held
    def initialize(uri, setup, events)
      @setup = setup
      @events = events
      @state = :dialling
      @out = String.new
      @reads_when_writable = false
      dial(uri)
    end

    # --- with the lock held

    # Whether frames can be sent.
    def open?
      @state == :open
    end

    def send_frame(text)
      @heartbeat.sent(Clock.now)
      @out << Frames.text(text)
    end

    # Ends it in an orderly way; it reports nothing more.
    def close(code, reason)
      if @state == :open
        @out << Frames.close(code, reason)
        @timer&.cancel
        @timer = @setup.loop.after(LINGER) { @state = :over }
        @state = :closing
        @setup.loop.wake
      else
        @state = :over if @state == :dialling
      end
    end

    def over?
      return false unless @state == :over

      destroy
      true
    end

    # Writes as much as goes.
    def flush
      until @out.empty?
        written = @ssl.write_nonblock(@out, exception: false)
        break unless written.is_a?(Integer)

        @out = written == @out.bytesize ? String.new : @out.byteslice(written..)
      end
      @state = :over if @state == :closing && @out.empty?
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError => e
      @out = String.new
      finish(SocketEnd.new(ABNORMAL, e.message, nil))
      @state = :over
    end

    # --- in the loop's thread, without the lock

    def io
      @ssl.to_io
    end

    def reads?
      @state == :open && !@reads_when_writable
    end

    def writes?
      !@out.empty? || @reads_when_writable
    end

    # Reads what there is, and tells.
    def work
      return unless @state == :open

      said = read
      return if said.empty? && @ending.nil?

      envelopes = said.flat_map { |type, payload| type == :text ? Protocol::Codec.decode_broker_frame(payload) : [] }
      @setup.lock.synchronize { tell(said, envelopes) if @state == :open }
    end

    # --- with the lock held, again

    # At once; nothing is said.
    def destroy
      @timer&.cancel
      @ssl&.close
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
      # It is gone already.
    end

    private

    def dial(uri)
      dialled = Dial.new(uri, @setup.credentials, -> { @state == :over })
      @thread = Thread.new do
        ssl, rest = dialled.call
        in_loop { opened(ssl, rest) }
      rescue Error => e
        in_loop { finish(SocketEnd.new(ABNORMAL, e.reason.to_s, e)) }
      rescue StandardError => e
        # Nobody has foreseen it: the loop ends with it.
        in_loop { raise e }
      end
      @thread.name = "agentworks dial #{uri.host}"
      @thread.report_on_exception = false
    end

    def in_loop(&block)
      @setup.lock.synchronize { @setup.loop.after(0, &block) }
    end

    def opened(ssl, rest)
      @ssl = ssl
      return destroy unless @state == :dialling

      @state = :open
      @reader = Frames::Reader.new
      @reader << rest
      timing = @setup.timing
      @heartbeat = Heartbeat.new(timing.heartbeat_interval, timing.heartbeat_timeout, Clock.now)
      @setup.loop.watch(self)
      watch
      @events.opened
    end

    def watch
      now = Clock.now
      case @heartbeat.due(now)
      when :give_up
        return finish(SocketEnd.new(Protocol::CloseCode::HEARTBEAT_TIMEOUT, 'nothing came for too long', nil))
      when :beat
        @out << Frames.text(HEARTBEAT)
      end
      @timer = @setup.loop.after([@heartbeat.next_at - now, TICK].max) { watch if open? }
    end

    def finish(ending)
      return if @state == :over || @state == :closing

      @state = :over
      @timer&.cancel
      @setup.loop.wake
      @events.ended(ending)
    end

    def tell(said, envelopes)
      said.each { |type, payload| @out << Frames.pong(payload) if type == :ping }
      @heartbeat.heard(Clock.now)
      @events.frame(envelopes) unless envelopes.empty?
      finish(@ending) if @ending
    end

    # @return [Array<Array(Symbol, String)>] what came: type and payload of each frame
    def read
      said = []
      take(said)
      READS_MAX.times do
        break if @ending

        bytes = @ssl.read_nonblock(CHUNK_BYTES, exception: false)
        @reads_when_writable = bytes == :wait_writable
        break if bytes == :wait_readable || @reads_when_writable

        if bytes.nil? then @ending = SocketEnd.new(ABNORMAL, 'the connection was cut', nil)
        else
          @reader << bytes
          take(said)
        end
      end
      said
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError => e
      @ending = SocketEnd.new(ABNORMAL, e.message, nil)
      said
    end

    def take(said)
      while (type, payload, code = @reader.next)
        case type
        when :close then return @ending = SocketEnd.new(code || NO_CODE, payload, nil)
        when :error, :binary
          return @ending = SocketEnd.new(ABNORMAL, "the broker sent what is no text frame (#{payload[0, 64]})", nil)
        else said << [type, payload]
        end
      end
    end
  end
end
