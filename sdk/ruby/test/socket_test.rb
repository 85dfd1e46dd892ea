# frozen_string_literal: true

# One WebSocket and its connection against a small server of the test's own: what is said byte by byte, and when it dials again.
require_relative 'support/authority'
require_relative 'support/small_server'
require_relative 'support/stage'

class SocketTest < AgentTest
  # Writes down what a connection tells.
  class Listener
    attr_reader :told

    def initialize(greeting)
      @greeting = greeting
      @told = Thread::Queue.new
    end

    def opened
      @greeting
    end

    def frame(envelopes)
      envelopes.each { |envelope| @told << [:frame, envelope.is_a?(Hash) ? envelope['type'] : envelope.reason] }
    end

    def lost(ending, will_reconnect)
      @told << [:lost, ending.code, will_reconnect]
    end

    def retrying(attempt, delay_ms)
      @told << [:retrying, attempt, delay_ms]
    end

    def stopped(error)
      @told << [:stopped, error.reason]
    end
  end

  AUTHORITY = Authority.new
  SERVER = AUTHORITY.issue('localhost', alternative: 'DNS:localhost')
  CLIENT = AUTHORITY.issue('planner')
  STEADY = Agentworks::Timing.new(heartbeat_interval: 60, heartbeat_timeout: 180, ack_stall: 60, delivery_stall: 60)

  def setup
    super
    @server = SmallServer.new(*SERVER)
    @lock = Mutex.new
    @loop = Agentworks::EventLoop.new(@lock, 'agentworks', turn: -> {}, failed: ->(error) { raise error })
  end

  def teardown
    @lock.synchronize do
      @connection&.stop(1000, 'done')
      @loop.stop
    end
    @loop.join
    @server.close
    super
  end

  # [H1, H2]
  def test_the_heartbeat_is_the_exact_text_alone_in_its_frame_and_masked
    told = dial(timing: timing(heartbeat_interval: 0.03, heartbeat_timeout: 60))
    peer = @server.peers.pop
    frame = peer.next
    assert_equal [:text, '{"type":"HEARTBEAT"}', true], [frame.type, frame.data.to_s, peer.masked?]
    peer.say('{"type":"HEARTBEAT_ACK"}')
    assert_equal [:frame, 'HEARTBEAT_ACK'], told.pop
    assert_equal '{"type":"HEARTBEAT"}', peer.next.data.to_s
  end

  # [H2]
  def test_without_any_answer_the_connection_is_given_up_and_dialled_again
    told = dial(timing: timing(heartbeat_interval: 0.01, heartbeat_timeout: 0.04))
    @server.peers.pop
    assert_equal [[:lost, 4512, true], [:retrying, 1, 1]], [told.pop, told.pop]
    @server.peers.pop
  end

  def test_its_first_frames_are_the_greetings_on_every_connection_and_waits_grow_until_the_broker_spoke_sense
    told = dial(greeting: ['hello', 'and more'])
    [1, 2, 4, 4].each do |delay_ms|
      peer = @server.peers.pop
      assert_equal ['hello', 'and more'], [peer.next.data.to_s, peer.next.data.to_s]
      peer.say('draining', type: :close, code: 4503)
      assert_equal [:lost, 4503, true], told.pop
      assert_equal delay_ms, told.pop.last
      peer.close
    end
    peer = @server.peers.pop
    @lock.synchronize { @connection.settled }
    peer.close
    assert_equal [[:lost, 1006, true], [:retrying, 1, 1]], [told.pop, told.pop]
    last = @server.peers.pop
    last.next
    last.next
    @lock.synchronize { @connection.stop(1000, 'done') }
    assert_equal [:close, 1000], [(frame = last.next).type, frame.code]
  end

  # [C5]
  { 4400 => :connection_refused, 4401 => :connection_refused, 4403 => :connection_refused, 4409 => :superseded }.each do |code, reason|
    define_method("test_close_code_#{code}_is_final") do
      told = dial
      @server.peers.pop.say('go', type: :close, code: code)
      assert_equal [[:lost, code, false], [:stopped, reason]], [told.pop, told.pop]
    end
  end

  def test_a_refused_upgrade_is_final_when_its_problem_says_so_and_tried_again_when_it_may_pass
    @server.refusal = ['500 No', problem('internal', true)]
    told = dial
    assert_equal [[:lost, 1006, true], [:retrying, 1, 1]], [told.pop, told.pop]
    @server.refusal = ['502 Bad Gateway', '<h1>Bad gateway</h1>']
    seen = told.pop until seen&.first == :retrying && seen[1] > 4
    @server.refusal = ['403 Forbidden', problem('certificate_revoked', false)]
    seen = told.pop until seen.first == :stopped
    assert_equal [:stopped, :certificate_revoked], seen
  end

  # [C2]
  def test_a_broker_that_does_not_speak_this_version_is_refused_for_good
    @server.refusal = ['426 Upgrade Required', problem('subprotocol_required', false)]
    told = dial
    assert_equal [[:lost, 1006, false], [:stopped, :subprotocol_required]], [told.pop, told.pop]
  end

  def test_what_is_no_broker_is_refused_for_good
    @server.refusal = ['200 OK', 'hello']
    told = dial
    told.pop
    assert_equal [:stopped, :connection_failed], told.pop
    assert_match(/HTTP 200. Is wss:/, @lock.synchronize { @connection.failure.detail })
  end

  def test_frames_that_come_with_the_answer_to_the_upgrade_are_read
    # Bytes of white space at its ends are part of a frame.
    @server.early = "#{frame_of('{"type":"HEARTBEAT_ACK"}')}#{frame_of("{\"type\":\"GOAWAY\"}\n")}".b
    told = dial
    assert_equal [:frame, 'HEARTBEAT_ACK'], told.pop
    assert_equal [[:frame, :invalid_envelope], [:frame, :invalid_json]], [told.pop, told.pop]
  end

  def test_frames_in_pieces_and_pings_between_them
    told = dial
    peer = @server.peers.pop
    bytes = frame_of("{\"type\":\"HEARTBEAT_ACK\",\"pad\":\"#{'ä' * 40_000}\"}")
    bytes.each_char.each_slice(1_777) { |slice| peer.raw(slice.join) }
    assert_equal [:frame, 'HEARTBEAT_ACK'], told.pop
    # A text in two fragments, with a ping between.
    peer.raw("\x01\x02{\"".b)
    peer.say('still there?', type: :ping)
    pong = peer.next
    assert_equal [:pong, 'still there?', true], [pong.type, pong.data.to_s, peer.masked?]
    rest = 'type":"HEARTBEAT_ACK"}'
    peer.raw([0x80, rest.bytesize].pack('CC') + rest)
    assert_equal [:frame, 'HEARTBEAT_ACK'], told.pop
  end

  def test_what_is_no_text_frame_ends_the_connection
    told = dial
    ["\x82\x01x", "\xf1\x01x", "\x81\x02\xff\xfe"].each do |bytes|
      @server.peers.pop.raw(bytes.b)
      assert_equal [:lost, 1006, true], told.pop
      assert_equal :retrying, told.pop.first
    end
  end

  def test_sizes_of_frames_around_the_lengths_that_are_written_otherwise
    texts = [0, 1, 125, 126, 127, 65_535, 65_536, 100_003].map { |size| "#{size}:#{'é' * size}" }
    dial(greeting: texts)
    peer = @server.peers.pop
    assert_equal texts, texts.map { peer.next.data.to_s.dup.force_encoding('UTF-8') }
  end

  def test_a_dial_that_nobody_answers_is_given_up_when_it_is_stopped
    silent = TCPServer.new('127.0.0.1', 0)
    dial(port: silent.addr[1])
    heard = silent.accept
    @lock.synchronize { @connection.stop(1000, 'done') }
    eventually('the dial has ended') { agent_threads.none? { |thread| thread.name.include?('dial') } }
  ensure
    heard&.close
    silent&.close
  end

  private

  def problem(reason, retryable)
    JSON.generate(code: 'unavailable', reason: reason, detail: 'Do this.', retryable: retryable)
  end

  def frame_of(text)
    WebSocket::Frame::Outgoing::Server.new(version: 13, type: :text, data: text).to_s
  end

  # @return [Thread::Queue] what the connection tells
  def dial(timing: STEADY, greeting: [], port: @server.port)
    listener = Listener.new(greeting)
    credentials = Agentworks::Credentials.new(certificate: CLIENT[0], key: CLIENT[1], ca: AUTHORITY.certificate.to_pem)
    setup = Agentworks::ConnectionSetup.new(
      credentials: credentials, timing: timing, reconnect: Agentworks::Backoff.new(base_ms: 2, max_ms: 8), random: -> { 0.5 },
      lock: @lock, loop: @loop
    )
    @connection = Agentworks::Connection.new(URI("wss://localhost:#{port}/v1/connect"), setup, listener)
    @lock.synchronize { @connection.start }
    listener.told
  end
end
