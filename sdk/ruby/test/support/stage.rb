# frozen_string_literal: true

# What the tests share: one real broker, started as its users start it, agents certified on demand, and cables to be pulled.
require 'json'
require 'minitest/autorun'
require 'fileutils'
require 'net/http'
require 'timeout'
require 'tmpdir'
require_relative '../../lib/agentworks'
require_relative 'authority'
require_relative 'cable'

module Stage
  ROOT = File.expand_path('../../../..', __dir__)
  NODE = ENV.fetch('AGENTWORKS_NODE') { File.join(ROOT, 'node_modules/.bin/node') }
  START_SECONDS_MAX = 60
  FAST = { base_ms: 5, max_ms: 50 }.freeze

  class << self
    def broker
      @broker ||= start
    end

    # @return [Hash] url, ca, certificate, key
    def credentials(agent, port: nil)
      certified = (@certified ||= {})[agent] ||= certify(agent)
      url = broker.fetch('agentsUrl')
      url = url.sub(/:\d+/, ":#{port}") if port
      { url: url, ca: broker.fetch('caFile'), certificate: certified.fetch('cert_file'), key: certified.fetch('key_file') }
    end

    # The certificate of an agent that lasts for so many seconds, registered.
    # @return [Array(String, String)] PEM: certificate and key
    def short_lived(agent, life)
      broker
      @authority ||= Authority.open(*%w[ca.pem ca.key].map { |name| File.read(File.join(state, name)) })
      certificate, key = @authority.issue(agent, life: life)
      admin(:Post, '/v1/certificates', 'agent_id' => agent, 'certificate' => certificate.to_pem)
      [certificate.to_pem, key.private_to_pem]
    end

    def agents_port
      broker.fetch('agentsUrl')[/:(\d+)/, 1].to_i
    end

    # An HTTP request as an administrator.
    def admin(method, path, body = nil)
      uri = URI.join(broker.fetch('apiUrl'), path)
      request = Net::HTTP.const_get(method).new(uri, 'authorization' => "Bearer #{admin_token}", 'content-type' => 'application/json')
      request.body = JSON.generate(body) if body
      JSON.parse(Net::HTTP.start(uri.host, uri.port) { |http| http.request(request) }.body)
    end

    # Kills the broker and everything that it runs, as a power cut would, and starts it again from what it had stored.
    def restart
      port = agents_port
      Process.kill(:KILL, -@pid)
      Process.wait(@pid)
      run(port)
    end

    private

    def start
      raise "#{NODE} is missing: run npm install first" unless File.exist?(NODE)

      @folder = Dir.mktmpdir('agentworks-ruby-')
      Minitest.after_run { stop }
      run(0)
    end

    def run(port)
      ready = File.join(@folder, 'ready.json')
      FileUtils.rm_f(ready)
      @log = File.join(@folder, 'broker.log')
      flags = ['--agents-port', port.to_s, '--api-port', '0', '--state', state, '--ready-file', ready]
      @pid = Process.spawn(NODE, 'scripts/start.ts', *flags, chdir: ROOT, out: @log, err: %i[child out], pgroup: true)
      wait_for(START_SECONDS_MAX) { File.exist?(ready) || Process.wait(@pid, Process::WNOHANG) }
      raise "the broker did not start:\n#{File.read(@log)}" unless File.exist?(ready)

      @broker = JSON.parse(File.read(ready))
    end

    def stop
      Process.kill(:TERM, @pid)
      Process.wait(@pid)
      FileUtils.rm_rf(@folder)
    end

    def state
      File.join(@folder, 'state')
    end

    def certify(agent)
      broker
      command = [NODE, 'sdk/typescript/src/cli/main.ts', 'agent', 'create', agent, '--state', state, '--json']
      JSON.parse(IO.popen(command, chdir: ROOT, &:read))
    end

    def admin_token
      JSON.parse(File.read(File.join(state, 'broker.json'))).fetch('adminToken')
    end

    def wait_for(seconds)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
      sleep 0.05 until yield || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    end
  end
end

# A test with agents: what it leaves open is closed, and no thread of theirs may be left.
class AgentTest < Minitest::Test
  # Nothing that a test waits for takes longer.
  PATIENCE = 20

  # A test that hangs has failed.
  SECONDS_MAX = 120

  def run
    Timeout.timeout(SECONDS_MAX) { super }
  end

  def setup
    @agents = []
    @cables = []
  end

  def teardown
    @agents.each(&:close)
    @cables.each(&:close)
    eventually('a thread is left') { agent_threads.empty? }
  end

  # What one test leaves open must not come back in the next.
  def connect(agent, **options)
    cable = options.delete(:cable)
    given = { reconnect: Stage::FAST, recover: false, timeout: PATIENCE, **Stage.credentials(agent, port: cable&.port), **options }
    timing = given.delete(:timing)
    connected = timing ? connect_with(timing, given) : Agentworks.connect(**given)
    @agents << connected
    connected
  end

  # With other clocks than the protocol's.
  def connect_with(timing, given)
    url, timeout = given.values_at(:url, :timeout)
    credentials = Agentworks::Credentials.new(**given.slice(:certificate, :key, :ca))
    setup = Agentworks::Connecting.setup(url, credentials, timing: timing, **given.slice(:reconnect, :recover, :direct, :accept))
    Agentworks::Connecting.register(Agentworks::LiveAgent.new(setup), timeout)
  end

  def timing(**seconds)
    Agentworks::Timing.usual.tap { |timing| seconds.each { |name, value| timing[name] = value } }
  end

  def lay_cable
    Cable.new(Stage.agents_port).tap { |cable| @cables << cable }
  end

  # A session seen from both ends.
  def session_between(from, to)
    here = from.open(to.id, timeout: PATIENCE)
    there = to.sessions.next(timeout: PATIENCE)
    assert_equal here.id, there.id
    [here, there]
  end

  # @return [Symbol] why the block raised
  def reason_of
    yield
    :nothing_was_raised
  rescue Agentworks::Error => e
    e.reason
  end

  # Reads on until a status of that type comes.
  def await_status(statuses, type)
    loop do
      status = statuses.next(timeout: PATIENCE)
      return status if status.type == type
    end
  end

  def take(channel, count)
    Array.new(count) { channel.next(timeout: PATIENCE) }
  end

  def eventually(message)
    deadline = Agentworks::Clock.now + PATIENCE
    sleep 0.005 until (fulfilled = yield) || Agentworks::Clock.now > deadline
    assert fulfilled, message
  end

  def agent_threads
    Thread.list.select { |thread| thread.name&.start_with?('agentworks') }
  end
end
