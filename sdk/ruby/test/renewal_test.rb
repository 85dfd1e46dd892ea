# frozen_string_literal: true

# Certificates that renew themselves, on a real broker: lives of seconds instead of months.
require 'open3'
require_relative 'support/stage'

module RenewalSteps
  Certificates = Agentworks::Certificates

  def setup
    super
    @outside = Dir.mktmpdir('agentworks-renewal-')
    # One that can be moved away.
    @folder = File.join(@outside, 'identity')
    Dir.mkdir(@folder)
  end

  def teardown
    super
  ensure
    FileUtils.rm_rf(@outside)
  end

  # An agent whose certificate lasts for so long, registered, with its files.
  def short_lived(agent, life, name = agent)
    certificate, key = Stage.short_lived(agent, life)
    paths = { certificate: File.join(@folder, "#{name}.pem"), key: File.join(@folder, "#{name}.key") }
    File.write(paths[:certificate], certificate)
    File.write(paths[:key], key)
    { url: Stage.broker.fetch('agentsUrl'), ca: Stage.broker.fetch('caFile'), **paths }
  end

  def connected(options)
    Agentworks.connect(recover: false, reconnect: Stage::FAST, timeout: AgentTest::PATIENCE, **options).tap { |agent| @agents << agent }
  end

  def files_of(options)
    Certificates::Files.new(options[:certificate], options[:key])
  end

  def pair_in(options)
    Certificates::Identity.new(File.read(options[:certificate]), File.read(options[:key]))
  end

  def certificate_in(options)
    OpenSSL::X509::Certificate.new(File.read(options[:certificate]))
  end

  def key_of(text)
    OpenSSL::PKey.read(text)
  end
end

class RenewalTest < AgentTest
  include RenewalSteps

  def test_it_outlives_its_certificate_more_than_once_and_drops_nothing
    outlives('multiplexed', false)
  end

  def test_so_it_does_with_a_connection_for_each_session
    outlives('direct', true)
  end

  def test_it_says_what_is_wrong_and_tries_again_while_the_files_cannot_be_written
    agent = connected(**short_lived('stuck', 6), renew: true)
    statuses = agent.status
    # Not even root may write to a folder that is not there.
    File.rename(@folder, "#{@folder}-away")
    assert_equal :renewal_failed, await_status(statuses, :fault).error.reason
    File.rename("#{@folder}-away", @folder)
    assert_operator await_status(statuses, :certificate_renewed).not_after, :>, Time.now
    # Nothing was asked for while it could not be kept.
    assert_equal 2, Stage.admin(:Get, '/v1/agents/stuck/certificates')['certificates'].length
    await_status(statuses, :connected)
  end

  def test_it_tries_again_before_the_end_while_the_broker_is_away
    options = short_lived('patient', 9)
    before = certificate_in(options)
    cable = lay_cable
    agent = connected(**options, url: "wss://localhost:#{cable.port}", renew: true)
    statuses = agent.status
    cable.unplug
    error = await_status(statuses, :fault).error
    assert_equal [:connection_failed, true], [error.reason, error.retryable?]
    cable.plug_in
    assert_operator await_status(statuses, :certificate_renewed).not_after, :>, before.not_after
    assert_operator Time.now, :<, before.not_after
    await_status(statuses, :connected)
    agent.close
  end

  def test_it_goes_on_with_the_present_one_while_the_broker_refuses_another
    options = short_lived('refused', 9)
    # As many as an agent may have.
    more = Array.new(19) do
      Stage.admin(:Post, '/v1/agents/refused/certificates', 'csr' => Certificates.make_key_and_request('refused').csr).fetch('fingerprint')
    end
    statuses = connected(**options, renew: true).status
    assert_equal :too_many_certificates, await_status(statuses, :fault).error.reason
    Stage.admin(:Delete, "/v1/certificates/#{more.first}")
    await_status(statuses, :certificate_renewed)
    await_status(statuses, :connected)
  end

  def test_what_is_revoked_does_not_renew_itself
    options = short_lived('revoked', 6)
    before = pair_in(options)
    statuses = connected(**options, renew: true).status
    Stage.admin(:Delete, "/v1/certificates/#{OpenSSL::Digest::SHA256.hexdigest(certificate_in(options).to_der)}")
    assert_equal 4403, await_status(statuses, :disconnected).code
    assert_equal :certificate_revoked, renewal_failure(options, 'revoked').reason
    assert_equal before, pair_in(options)
  end

  def test_it_takes_the_certificate_that_another_process_has_renewed
    options = short_lived('shared', 6)
    statuses = connected(**options, renew: true).status
    fresh = pair_in(short_lived('shared', 60, 'elsewhere'))
    files_of(options).write(fresh)
    expected = OpenSSL::X509::Certificate.new(fresh.certificate).not_after
    assert_equal expected, await_status(statuses, :certificate_renewed).not_after
    await_status(statuses, :connected)
    assert_equal fresh.certificate, File.read(options[:certificate])
  end

  def test_it_needs_files_and_says_so
    options = short_lived('inline', 60)
    pair = pair_in(options)
    [{ certificate: pair.certificate }, { key: pair.key }, { key: key_of(pair.key) }, { reconnect: false }].each do |more|
      assert_equal(:invalid_argument, reason_of { connected(**options, **more, renew: true) })
    end
  end

  private

  def outlives(name, direct)
    options = short_lived(name, 6)
    before = certificate_in(options)
    agent = connected(**options, renew: true, direct: direct)
    agent.handle('echo') { |value| value }
    here, there = session_between(agent, connect("#{name}-peer"))
    renewals = Thread::Queue.new
    statuses = agent.status
    listening = Thread.new { statuses.each { |status| renewals << status if status.type == :certificate_renewed } }
    sent = 0
    until renewals.size >= 2 && Time.now > before.not_after
      receipt = here.send_message(sent)
      assert_equal sent, there.messages.next(timeout: PATIENCE).content
      receipt.stored(timeout: PATIENCE)
      assert_equal sent, there.request('echo', sent).result(timeout: PATIENCE)
      sent += 1
    end
    statuses.close
    listening.join
    assert_operator sent, :>, 50
    assert_operator certificate_in(options).not_after, :>, before.not_after
    assert_equal ["#{name}.key", "#{name}.pem"], Dir.children(@folder).sort
    Dir.each_child(@folder) { |file| assert_equal 0o600, File.stat(File.join(@folder, file)).mode & 0o777 }
  end

  # Why a renewal by itself fails.
  def renewal_failure(options, agent)
    told = Thread::Queue.new
    events = Struct.new(:told) do
      def renewed(_not_after)
        raise 'it was renewed'
      end

      def renewal_failed(error)
        told << error
      end
    end.new(told)
    lock = Mutex.new
    loop = Agentworks::EventLoop.new(lock, 'agentworks', turn: -> {}, failed: ->(error) { told << error })
    credentials = Agentworks::Credentials.new(**options.slice(:certificate, :key, :ca))
    renewal = Certificates::Renewal.new(URI(options[:url]), files_of(options), credentials, -> { 0 })
    lock.synchronize { renewal.start(agent, lock, loop, events) }
    told.pop
  ensure
    lock.synchronize do
      renewal.stop
      loop.stop
    end
    loop.join
  end
end

class JudgingTest < AgentTest
  include RenewalSteps

  def test_renewal_is_at_two_thirds_of_the_life_spread_a_little
    certificate = certificate_in(short_lived('timely', 240))
    assert_in_delta 200, Certificates.renewal_time(certificate, 0) - certificate.not_before, 1
    assert_operator Certificates.renewal_time(certificate, 0.999) - certificate.not_before, :<=, 215
  end

  def test_an_answer_that_is_not_what_was_asked_for_is_not_used
    present = certificate_in(short_lived('asker', 60))
    fresh = pair_in(short_lived('asker', 120))
    certificate = fresh.certificate
    other = pair_in(short_lived('other', 120)).certificate
    asked = { agent: 'asker', key: fresh.key, present: present }
    good = { 'agent_id' => 'asker', 'certificate' => certificate }
    assert_equal certificate, Certificates.judge_answer(good, **asked)
    [
      [nil, {}, /no certificate/],
      [good.merge('agent_id' => 'other'), {}, /for other/],
      [good.merge('certificate' => 'nonsense'), {}, /cannot be read/],
      [good.merge('certificate' => other), {}, /another key/],
      [good, { present: OpenSSL::X509::Certificate.new(certificate) }, /does not last longer/],
      [good, { now: Time.now - 3600 }, /not valid yet/]
    ].each do |answer, more, why|
      error = assert_raises(Agentworks::Unavailable) { Certificates.judge_answer(answer, **asked, **more) }
      assert_equal :renewal_failed, error.reason
      assert_match why, error.detail
    end
  end

  def test_from_environment_says_what_is_missing
    environment = { 'AGENTWORKS_URL' => 'wss://localhost:1', 'AGENTWORKS_CERT_FILE' => 'c', 'AGENTWORKS_KEY_FILE' => 'k' }
    options = { url: 'wss://localhost:1', certificate: 'c', key: 'k', renew: true }
    assert_equal options, Agentworks.from_environment(environment)
    assert_equal options.merge(ca: 'ca'), Agentworks.from_environment(environment.merge('AGENTWORKS_CA_FILE' => 'ca'))
    error = assert_raises(Agentworks::InvalidArgument) { Agentworks.from_environment({}) }
    assert_match(/agentworks agent run FILE/, error.detail)
  end
end

class IdentityFilesTest < AgentTest
  include RenewalSteps

  PROGRAM = File.join(__dir__, 'support/renewal_program.rb')

  def test_a_process_that_died_between_them_leaves_a_pair_that_is_used_and_put_right
    options = short_lived('halfway', 60)
    old = pair_in(options)
    fresh = pair_in(short_lived('halfway', 60))
    files_of(options).write(fresh)
    # As far as `write` comes when it dies after the first of its two renames.
    File.write(options[:certificate], old.certificate)
    assert_equal 'halfway', connected(options).id
    assert_equal old.certificate, File.read(options[:certificate])
    assert_equal 'halfway', connected(**options, renew: true).id
    assert_equal fresh.certificate, File.read(options[:certificate])
    File.unlink(options[:certificate])
    files_of(options).settle
    assert_equal fresh.certificate, File.read(options[:certificate])
  end

  def test_files_of_two_agents_are_no_pair_and_left_alone
    one = short_lived('one', 60)
    other = short_lived('other', 60)
    # Another agent's certificate is with its key: nobody becomes that by a wrong path.
    files_of(other).write(pair_in(other))
    mixed = { **one, key: other[:key] }
    before = File.read(one[:certificate])
    files_of(mixed).settle
    assert_nil files_of(mixed).read
    assert_equal before, File.read(one[:certificate])
    assert_equal(:invalid_argument, reason_of { connected(mixed) })
  end

  def test_they_are_their_owners_alone_and_drafts_of_the_dead_are_removed_when_they_are_old
    options = short_lived('kept', 60)
    File.chmod(0o666, options[:certificate])
    files_of(options).write(pair_in(options))
    old, young, mine = ["#{'0' * 16}.new", "#{'1' * 16}.new", 'mine.new'].map { |name| "#{options[:key]}.#{name}" }
    [old, young, mine].each { |path| File.write(path, 'half a k') }
    File.utime(0, 0, old)
    files_of(options).settle
    left = [options[:certificate], options[:key], young, mine]
    assert_equal left.map { |path| File.basename(path) }.sort, Dir.children(@folder).sort
    left.first(2).each { |path| assert_equal 0o600, File.stat(path).mode & 0o777 }
  end

  def test_processes_that_replace_them_at_once_and_die_at_any_moment_never_leave_a_pair_that_does_not_fit
    options = short_lived('contested', 60)
    folders = %w[a b].map do |name|
      pair = pair_in(short_lived('contested', 60, 'other'))
      File.join(@folder, name).tap do |folder|
        Dir.mkdir(folder)
        File.write(File.join(folder, 'cert.pem'), pair.certificate)
        File.write(File.join(folder, 'key.pem'), pair.key)
      end
    end
    steady = start(options, folders, File::NULL)
    6.times { |life| assert_whole_until_killed(options, folders.reverse, 10 + (life * 7)) }
    finish(steady)
    files_of(options).settle
    assert certificate_in(options).check_private_key(key_of(File.read(options[:key])))
  end

  private

  def assert_whole_until_killed(options, folders, steps)
    said, output = IO.pipe
    pid = start(options, folders, output)
    output.close
    steps.times do
      said.gets
      assert files_of(options).read
    end
    finish(pid)
    said.close
    assert files_of(options).read
  end

  def start(options, folders, output)
    Process.spawn(RbConfig.ruby, '-w', PROGRAM, options[:certificate], options[:key], *folders, out: output)
  end

  def finish(pid)
    Process.kill(:KILL, pid)
    Process.wait(pid)
  end
end
