# frozen_string_literal: true

require 'openssl'
require 'socket'
require 'websocket'
require_relative 'clock'
require_relative 'error'
require_relative 'protocol/codec'

module Agentworks
  # The way from an address to an open WebSocket: TCP, mutual TLS, the upgrade, one after the other, in one thread, in a bounded time.
  # It is given up as soon as `cancelled` says so.
  class Dial
    SUBPROTOCOL = 'agentworks.v1'
    SECONDS_MAX = 20
    ANSWER_BYTES_MAX = 64 * 1024
    CHUNK_BYTES = 16 * 1024
    # How often it looks whether it is still wanted.
    PATIENCE = 0.1
    private_constant :SECONDS_MAX, :ANSWER_BYTES_MAX, :CHUNK_BYTES, :PATIENCE

    # OpenSSL's words for a handshake that failed because of this side's certificate, and for one that was broken off.
    CERTIFICATE_ALERT = /alert (?:bad certificate|certificate|unknown ca|unsupported certificate|access denied|handshake failure)/.freeze
    BROKEN_OFF = /unexpected eof|SYSCALL|errno=[1-9]|returned=5/i.freeze
    private_constant :CERTIFICATE_ALERT, :BROKEN_OFF

    # @param uri [URI] `wss://host:port/path`
    # @param cancelled [#call] whether nobody waits for it any more
    def initialize(uri, credentials, cancelled)
      @uri = uri
      @credentials = credentials
      @cancelled = cancelled
      @deadline = Clock.now + SECONDS_MAX
    end

    # @return [Array(OpenSSL::SSL::SSLSocket, String)] the socket, and what came after the answer
    # @raise [Error] :broker_untrusted, :certificate_refused, :connection_failed, or what the broker answered
    def call
      tcp = connect
      begin
        ssl = secure(tcp)
        rest = upgrade(ssl)
      rescue StandardError
        tcp.close
        raise
      end
      [ssl, rest]
    rescue SystemCallError, ::SocketError, IOError => e
      raise failed(e.message)
    end

    private

    def failed(why)
      Errors.client(:connection_failed, "The connection to #{@uri.host}:#{@uri.port} could not be made: #{why}.")
    end

    def connect
      addresses = Addrinfo.getaddrinfo(@uri.hostname, @uri.port, nil, :STREAM)
      addresses.each_with_index do |address, index|
        return connect_to(address)
      rescue SystemCallError
        raise if index == addresses.length - 1
      end
    end

    def connect_to(address)
      socket = ::Socket.new(address.pfamily, :STREAM)
      wait(nil, [socket]) if socket.connect_nonblock(address, exception: false) == :wait_writable
      error = socket.getsockopt(:SOCKET, :ERROR).int
      raise SystemCallError.new(nil, error) unless error.zero?

      socket.setsockopt(:TCP, :NODELAY, true)
      socket
    rescue StandardError
      socket&.close
      raise
    end

    def secure(tcp)
      ssl = OpenSSL::SSL::SSLSocket.new(tcp, @credentials.context)
      ssl.sync_close = true
      name = @uri.hostname
      # SNI knows no addresses (RFC 6066); post_connection_check compares them.
      ssl.hostname = name unless name.match?(/\A[\d.]+\z|:/)
      step(ssl) { ssl.connect_nonblock(exception: false) }
      ssl.post_connection_check(name)
      ssl
    rescue OpenSSL::SSL::SSLError => e
      raise tls_failure(e)
    end

    def tls_failure(error)
      return failed(error.message) if error.message.match?(BROKEN_OFF)

      reason = error.message.match?(CERTIFICATE_ALERT) ? :certificate_refused : :broker_untrusted
      Errors.client(reason, "#{Errors::CLIENT[reason].last} (#{error.message})")
    end

    def upgrade(ssl)
      handshake = WebSocket::Handshake::Client.new(url: @uri.to_s, protocols: [SUBPROTOCOL])
      request = handshake.to_s
      until request.empty?
        written = step(ssl) { ssl.write_nonblock(request, exception: false) }
        request = request.byteslice(written..)
      end
      head, rest = read_head(ssl)
      raise refusal(ssl, head, rest) unless head.start_with?('HTTP/1.1 101')

      # The gem is given the head only: what it says is left over it has stripped of white space, which frames are made of too.
      handshake << head
      raise failed("the answer to the upgrade was no WebSocket's (#{handshake.error})") unless handshake.valid?

      rest
    rescue OpenSSL::SSL::SSLError => e
      # In TLS 1.3 the other side judges the certificate only after the handshake of this one.
      raise tls_failure(e)
    end

    def read_head(ssl)
      answer = String.new
      until (at = answer.index("\r\n\r\n"))
        raise failed('the answer to the upgrade was too long') if answer.bytesize > ANSWER_BYTES_MAX

        answer << read(ssl)
      end
      [answer.byteslice(0, at + 4), answer.byteslice(at + 4..)]
    end

    def read(ssl)
      step(ssl) { ssl.read_nonblock(CHUNK_BYTES, exception: false) } || raise(failed('the broker closed the connection'))
    end

    # The problem+json with which an upgrade was refused.
    def refusal(ssl, head, body)
      status = head[%r{\AHTTP/1\.\d (\d{3})}, 1].to_i
      length = [head[/^content-length:\s*(\d+)/i, 1]&.to_i || 0, ANSWER_BYTES_MAX].min
      body << read(ssl) while body.bytesize < length
      Errors.refusal(status, body, "Is #{@uri} where agents connect?")
    end

    # Does one step of the way, as often as it must wait for the socket.
    def step(io)
      loop do
        case (done = yield)
        when :wait_readable then wait([io], nil)
        when :wait_writable then wait(nil, [io])
        else return done
        end
      end
    end

    def wait(readers, writers)
      until IO.select(readers, writers, nil, PATIENCE)
        raise failed('it was given up') if @cancelled.call
        raise failed("there was no answer within #{SECONDS_MAX} s") if Clock.now > @deadline
      end
    end
  end
end
