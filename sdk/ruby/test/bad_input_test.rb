# frozen_string_literal: true

# What users get wrong first: one clear error each, which says what to do, and nothing that hangs.
require 'pathname'
require_relative 'support/authority'
require_relative 'support/small_server'
require_relative 'support/stage'

class BadInputTest < AgentTest
  def test_arguments_that_cannot_work_are_refused_at_once
    assert_detail(/does not begin with wss/, url: 'ws://localhost:1')
    assert_detail(/is no URL/, url: 'nonsense with spaces')
    assert_detail(/is no URL|wss/, url: nil)
    assert_detail(/`key` cannot be read: No such file/, key: '/nowhere/key.pem')
    assert_detail(/mutual TLS needs both/, certificate: nil)
    assert_detail(/`certificate` holds no certificate/, certificate: "-----BEGIN NOTHING-----\n")
    assert_detail(/`certificate` is no readable certificate/, certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert_detail(/`key` is no readable private key/, key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert_detail(/`ca` cannot be read: Is a directory/, ca: '/')
    assert_detail(/`key` is not the private key of `certificate`/, key: Stage.credentials('analyst')[:key])
    assert_detail(/`key` is no readable private key/, key: encrypted_key)
    assert_detail(/reconnect: is false/, reconnect: { colour: 'red' })
  end

  def test_credentials_may_be_paths_text_or_objects
    files = Stage.credentials('planner')
    texts = files.slice(:certificate, :key, :ca).transform_values { |file| File.read(file) }
    objects = { certificate: OpenSSL::X509::Certificate.new(texts[:certificate]), key: OpenSSL::PKey.read(texts[:key]) }
    [texts, objects, { ca: Pathname(files[:ca]) }].each do |given|
      Agentworks.connect(**files, **given, recover: false, timeout: PATIENCE) { |agent| assert_equal 'planner', agent.id }
    end
  end

  def test_a_broker_that_another_ca_vouches_for_is_not_trusted
    [nil, Authority.new.certificate.to_pem].each do |ca|
      error = assert_raises(Agentworks::Unauthenticated) { connect('planner', ca: ca) }
      assert_equal :broker_untrusted, error.reason
      assert_match(/Give the CA that signed it.*certificate verify failed/, error.detail)
    end
  end

  def test_a_broker_of_another_name_is_not_trusted
    with_server(alternative: 'DNS:example.com') do |url, credentials|
      error = assert_raises(Agentworks::Unauthenticated) { Agentworks.connect(url: url, **credentials, timeout: PATIENCE) }
      assert_equal :broker_untrusted, error.reason
      assert_match(/the name that it is for.*(hostname mismatch|does not match)/i, error.detail)
    end
  end

  def test_an_address_is_compared_with_the_addresses_of_the_certificate
    with_server(alternative: 'IP:127.0.0.1') do |url, credentials, server|
      connecting = Thread.new { reason_of { Agentworks.connect(url: url.sub('localhost', '127.0.0.1'), **credentials, timeout: 0.5) } }
      server.peers.pop
      assert_equal :timed_out, connecting.value
      assert_equal(:broker_untrusted, reason_of { Agentworks.connect(url: url, **credentials, timeout: PATIENCE) })
    end
  end

  def test_a_server_that_breaks_the_handshake_off_because_of_our_certificate_says_so
    with_server(alternative: 'DNS:localhost', client_ca: Authority.new('Others').certificate) do |url, credentials|
      error = assert_raises(Agentworks::Unauthenticated) { Agentworks.connect(url: url, **credentials, timeout: PATIENCE) }
      assert_equal :certificate_refused, error.reason
    end
  end

  def test_a_port_that_speaks_no_tls_is_refused
    server = TCPServer.new('127.0.0.1', 0)
    answering = Thread.new do
      socket = server.accept
      socket.readpartial(100)
      socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")
      socket.close
    end
    error = assert_raises(Agentworks::Error) { connect('planner', url: "wss://localhost:#{server.addr[1]}") }
    assert_equal :broker_untrusted, error.reason
    assert_match(/wrong version number|record|http/i, error.detail)
    answering.join
  ensure
    server&.close
  end

  # [C3]
  def test_a_certificate_that_no_agent_has_is_refused_with_the_brokers_reason
    stranger, key = Authority.new('Nobody').issue('stranger')
    error = assert_raises(Agentworks::Unauthenticated) { connect('planner', certificate: stranger, key: key) }
    assert_equal [:certificate_untrusted, :unauthenticated, false, :no], [error.reason, error.code, error.retryable?, error.processed]
  end

  # [C6]
  def test_an_agent_that_is_suspended_is_told_so
    agent = connect('loser')
    statuses = agent.status
    Stage.admin(:Patch, '/v1/agents/loser', 'status' => 'suspended')
    lost = await_status(statuses, :disconnected)
    assert_equal [4403, false], [lost.code, lost.will_reconnect]
    assert_equal(:connection_refused, reason_of { agent.join(timeout: PATIENCE) })
    assert_equal(:agent_suspended, reason_of { connect('loser') })
  end

  def test_a_broker_that_is_not_there_is_waited_for_and_the_timeout_says_why
    port = free_port
    error = assert_raises(Agentworks::TimedOut) { connect('planner', url: "wss://localhost:#{port}", timeout: 0.2) }
    assert_match(/latest attempt failed: connection_failed: .*(refused)/i, error.detail)
    assert_equal(:connection_failed, reason_of { connect('planner', url: "wss://localhost:#{port}", reconnect: false) })
  end

  def test_an_interrupt_while_connecting_leaves_nothing_behind
    thread = Thread.new { connect('planner', url: "wss://localhost:#{free_port}", timeout: nil) }
    thread.report_on_exception = false
    eventually('it is connecting') { agent_threads.any? }
    thread.raise(Interrupt)
    assert_raises(Interrupt) { thread.join }
    eventually('nothing is left') { agent_threads.empty? }
  end

  private

  # What is refused before anything is dialled.
  def assert_detail(pattern, **given)
    error = assert_raises(Agentworks::InvalidArgument, given.inspect) { connect('planner', **given) }
    assert_equal :invalid_argument, error.reason
    assert_match pattern, error.detail
  end

  def encrypted_key
    OpenSSL::PKey::RSA.new(2048).to_pem(OpenSSL::Cipher.new('aes-128-cbc'), 'secret')
  end

  def free_port
    server = TCPServer.new('127.0.0.1', 0)
    server.addr[1].tap { server.close }
  end

  def with_server(alternative:, client_ca: nil)
    authority = Authority.new
    server = SmallServer.new(*authority.issue('server', alternative: alternative), client_ca: client_ca)
    certificate, key = authority.issue('planner')
    yield "wss://localhost:#{server.port}", { certificate: certificate, key: key, ca: authority.certificate.to_pem }, server
  ensure
    server&.close
  end
end
