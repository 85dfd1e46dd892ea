# frozen_string_literal: true

require 'openssl'
require 'socket'
require 'websocket'

# A TLS server of the test's own, for what a broker does not do on purpose: it answers upgrades as it is told, and gives out each WebSocket.
class SmallServer
  # One accepted WebSocket, from the server's side.
  class Peer
    def initialize(socket)
      @socket = socket
      @frames = WebSocket::Frame::Incoming::Server.new(version: 13)
    end

    # @return [WebSocket::Frame::Incoming, nil] the next frame; nil: the socket ended
    def next
      until (frame = @frames.next)
        bytes = @socket.readpartial(65_536)
        @masked = bytes.getbyte(1) & 0x80 != 0
        @frames << bytes
      end
      frame
    rescue IOError, SystemCallError, OpenSSL::SSL::SSLError
      nil
    end

    # Whether the latest bytes began with a masked frame.
    def masked?
      @masked
    end

    def say(data, type: :text, code: nil)
      @socket.write(WebSocket::Frame::Outgoing::Server.new(version: 13, type: type, data: data, code: code).to_s)
    end

    def raw(bytes)
      @socket.write(bytes)
    end

    def close
      @socket.close
    end
  end

  attr_reader :port, :peers
  # [status line, body] with which upgrades are answered; nil: by a WebSocket.
  attr_accessor :refusal
  # What goes out in one write with the answer to the upgrade: frames.
  attr_accessor :early

  def initialize(certificate, key, client_ca: nil)
    @context = OpenSSL::SSL::SSLContext.new
    @context.add_certificate(certificate, key)
    if client_ca
      @context.cert_store = OpenSSL::X509::Store.new.tap { |store| store.add_cert(client_ca) }
      @context.verify_mode = OpenSSL::SSL::VERIFY_PEER | OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT
    end
    @server = TCPServer.new('127.0.0.1', 0)
    @port = @server.addr[1]
    @peers = Thread::Queue.new
    @thread = Thread.new { accept }
    @thread.report_on_exception = false
  end

  def close
    @server.close
    @thread.join
  end

  private

  def accept
    loop do
      tcp = @server.accept
      Thread.new { greet(tcp) }.report_on_exception = false
    end
  rescue IOError, SystemCallError
    # The server was closed.
  end

  def greet(tcp)
    socket = OpenSSL::SSL::SSLSocket.new(tcp, @context)
    socket.sync_close = true
    socket.accept
    handshake = WebSocket::Handshake::Server.new(secure: true, protocols: ['agentworks.v1'])
    handshake << socket.readpartial(65_536) until handshake.finished?
    return refuse(socket) if refusal

    socket.write(handshake.to_s + early.to_s)
    @peers << Peer.new(socket)
  rescue OpenSSL::SSL::SSLError, IOError, SystemCallError
    tcp.close
  end

  def refuse(socket)
    status, body = refusal
    socket.write("HTTP/1.1 #{status}\r\nContent-Type: application/problem+json\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
    socket.close
  end
end
