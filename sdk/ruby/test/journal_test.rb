# frozen_string_literal: true

# Programs that keep a journal: killed at any moment, they lose and repeat nothing that they had said or finished.
require_relative 'support/stage'

class JournalTest < AgentTest
  PROGRAM = File.join(__dir__, 'support/journal_program.rb')
  KILLS = 5

  def setup
    super
    @folder = Dir.mktmpdir('agentworks-journal-')
    # Of the program that is killed.
    @lives = 0
  end

  def teardown
    super
  ensure
    Process.kill(:KILL, @pid) && Process.wait(@pid) if @pid
    FileUtils.rm_rf(@folder)
  end

  def test_a_sender_that_is_killed_again_and_again_sends_each_number_once
    receiver = connect('receiver')
    count = 1_500
    killing = Thread.new { run_and_kill('send', 'sender', count) }
    messages = receiver.sessions.next(timeout: 60).messages
    got = Array.new(count) { messages.next(timeout: 60).content }
    assert_equal((0...count).to_a, got)
    assert_raises(StopIteration) { messages.next(timeout: 60) }
    killing.join
  end

  def test_a_performer_that_is_killed_again_and_again_answers_each_task_once
    requester = connect('requester')
    Stage.credentials('performer')
    killing = Thread.new { run_and_kill('perform', 'performer', 0) }
    session = requester.open('performer', wait_ms: 60_000)
    count = 500
    # A session has at most 128 tasks open.
    results = (0...count).each_slice(100).flat_map do |numbers|
      numbers.map { |number| session.request('work', number) }.map { |task| task.result(timeout: 60) }
    end
    assert_equal((0...count).to_a, results)
    killing.kill.join
    runs = ledger.lines.map { |line| line.split }.group_by(&:first).transform_values { |lines| lines.map(&:last) }
    assert_equal count, runs.size
    # What runs again says so, and only what was killed in the midst of it does: four handlers at a time.
    runs.each_value { |marks| assert_operator marks.count('false'), :<=, 1 }
    assert_operator runs.values.sum(&:length) - count, :<=, 4 * KILLS
  end

  def test_a_reader_that_is_killed_again_and_again_is_given_no_message_twice
    writer = connect('writer')
    Stage.credentials('reader')
    killing = Thread.new { run_and_kill('read', 'reader', 0) }
    session = writer.open('reader', wait_ms: 60_000)
    count = 0
    while killing.alive? && count < 20_000
      session.wait_ready(timeout: 60).send_message(count).stored(timeout: 60)
      count += 1
      break if @lives == KILLS
    end
    session.close
    killing.join
    got = ledger.lines.map(&:chomp).tap { |lines| assert_equal 'finished', lines.pop }.map(&:to_i)
    assert_equal got.uniq.sort, got
    # One that it was given and had no time to write down is lost to it: at most one for each of its deaths.
    assert_operator count - got.length, :<=, KILLS
  end

  def test_what_was_begun_and_what_was_taken_is_known_to_the_next_life
    planner = connect('planner8')
    analyst = connect('analyst8', recover: true, journal: journal)
    began = Thread::Queue.new
    analyst.handle('slow') { |_, task| (began << task) && task.wait_cancelled }
    may_answer = Thread::Queue.new
    planner.handle('later') { may_answer.pop && 'answered' }
    here, there = session_between(planner, analyst)
    3.times { |n| here.send_message(n) }
    assert_equal [0, 1], take(there.messages, 2).map(&:content)
    task = here.request('slow', 'input')
    began.pop
    there.send_message('said')
    assert_equal 'said', here.messages.next(timeout: PATIENCE).content
    asked = there.request('later', 1)
    asked.stored(timeout: PATIENCE)
    analyst.close
    assert_equal 0o600, File.stat(journal).mode & 0o777

    again = connect('analyst8', recover: true, journal: journal)
    performed = nil
    again.handle('slow') { |input, performance| (performed = performance) && input }
    recovered = again.sessions.next(timeout: PATIENCE)
    assert_equal [here.id, true, [asked.id], 1], [recovered.id, recovered.recovered?, recovered.requested, recovered.sent]
    assert_equal 2, recovered.messages.next(timeout: PATIENCE).content
    assert_equal ['input', true], [task.result(timeout: PATIENCE), performed.redelivered?]
    may_answer << true
    assert_equal 'answered', recovered.request('later', 1, task_id: asked.id).result(timeout: PATIENCE)
    recovered.close('done')
    assert_equal 'done', here.wait_closed(timeout: PATIENCE).reason
    eventually('the journal forgets what has ended') { Agentworks::JournalMemory.read(File.binread(journal), '').sessions.empty? }
  end

  def test_a_journal_of_another_agent_is_refused_for_good
    connect('planner9', recover: true, journal: journal).close
    error = assert_raises(Agentworks::FailedPrecondition) { connect('analyst9', recover: true, journal: journal) }
    assert_equal :journal_mismatch, error.reason
    assert_match(/is that of planner9 \(account local\), and this is analyst9/, error.detail)
  end

  def test_a_journal_that_cannot_be_read_or_made_says_what_to_do
    File.write(journal, "{\"journal\":1,\"agent\":\"a\",\"account\":\"b\"}\nnonsense\n")
    assert_match(/\Ajournal_damaged: Line 2 of the journal/, assert_raises(Agentworks::Error) { connect('planner', recover: true, journal: journal) }.message)
    missing = File.join(@folder, 'nowhere', 'journal')
    assert_match(/\Ajournal_failed: .*folder must exist/, assert_raises(Agentworks::Error) { connect('planner', recover: true, journal: missing) }.message)
    assert_equal(:invalid_argument, reason_of { connect('planner', recover: false, journal: journal) })
  end

  def test_a_journal_that_cannot_be_written_any_more_ends_the_agent
    planner = connect('planner', recover: true, journal: journal)
    connect('analyst')
    session = planner.open('analyst')
    live_journal(planner).instance_variable_get(:@file).close
    assert_equal(:journal_failed, reason_of { session.send_message('not kept') })
    assert_equal(:journal_failed, reason_of { planner.join(timeout: PATIENCE) })
    assert_equal 'journal_failed', session.wait_closed.reason
  end

  def test_it_is_rewritten_when_it_has_grown
    first = Agentworks::Journal.new(journal)
    first.claim('planner', 'local')
    session = '01a1ee56-5e03-7000-8000-000000000000'
    first.note('session' => session, 'peer' => 'analyst', 'epoch' => 'e')
    largest = 0
    30_000.times do |n|
      line = { 'type' => 'MESSAGE', 'id' => session, 'session_id' => session, 'seq' => n + 1, 'data' => { 'content' => 'x' * 300 } }
      first.note('session' => session, 'line' => JSON.generate(line))
      first.note('session' => session, 'stored' => n)
      assert first.commit
      largest = [largest, File.size(journal)].max if (n % 500).zero?
    end
    assert_operator largest, :<, 5 * 1024 * 1024
    memory = Agentworks::JournalMemory.read(File.binread(journal), '').sessions[session]
    assert_equal [29_999, 30_000], [memory.stored, memory.messages]
    first.close
  end

  def test_who_is_refused_or_never_reaches_the_broker_leaves_a_running_owner_its_journal
    writer = connect('writer10')
    Stage.credentials('reader10')
    start('read', 'reader10', 0)
    session = writer.open('reader10', wait_ms: 60_000)
    5.times { |n| session.send_message(n).stored(timeout: PATIENCE) }
    eventually('five are taken') { File.read(journal).include?('"taken":5') }
    before = as_it_is
    assert_equal(:journal_mismatch, reason_of { connect('carol10', recover: true, journal: journal) })
    nowhere = { recover: true, journal: journal, url: 'wss://localhost:1', reconnect: false }
    assert_equal(:connection_failed, reason_of { connect('reader10', **nowhere) })
    assert_equal before, as_it_is
    (5...10).each { |n| session.send_message(n).stored(timeout: PATIENCE) }
    eventually('ten are read') { ledger.lines.length == 10 }
    kill
    start('read', 'reader10', 0)
    session.send_message(10).stored(timeout: PATIENCE)
    eventually('eleven are read') { ledger.lines.length == 11 }
    assert_equal (0..10).to_a, ledger.lines.map(&:to_i)
    kill
  end

  def test_a_journal_that_was_removed_ends_the_agent
    planner = connect('planner14', recover: true, journal: journal)
    connect('analyst14')
    session = planner.open('analyst14')
    File.delete(journal)
    assert_equal(:journal_failed, reason_of { session.send_message('not kept') })
    assert_match(/replaced or taken away .*one process at a time/, assert_raises(Agentworks::Error) { planner.join(timeout: PATIENCE) }.message)
  end

  def test_a_successor_goes_on_with_all_that_was_written_and_then_nobody_else_writes
    session = '01a1ee56-5e03-7000-8000-000000000000'
    failed = []
    first = owned_journal
    first.on_failure { |error| failed << error.reason }
    first.note('session' => session, 'peer' => 'analyst', 'epoch' => 'e')
    assert first.commit
    second = Agentworks::Journal.new(journal)
    first.note('session' => session, 'taken' => 1)
    assert first.commit
    assert_nil second.claim('planner', 'local')
    assert_equal 1, second.memory.sessions[session].taken
    first.note('session' => session, 'taken' => 2)
    refute first.commit
    assert_equal [:journal_failed], failed
    second.note('session' => session, 'taken' => 3)
    assert second.commit
    second.close
    assert_equal 3, Agentworks::Journal.new(journal).memory.sessions[session].taken
  end

  def test_one_that_was_moved_away_is_missed_and_a_file_in_its_place_is_left_alone
    first = owned_journal
    File.rename(journal, "#{journal}.moved")
    assert_equal :journal_failed, first.claim('planner', 'local').reason
    second = owned_journal
    before = as_it_is
    assert_equal :journal_failed, first.claim('planner', 'local').reason
    first.close
    assert_equal :agent_closed, first.claim('planner', 'local').reason
    assert_equal before, as_it_is
    second.close
  end

  def test_a_journal_that_is_a_link_stays_one
    FileUtils.mkdir(File.join(@folder, 'elsewhere'))
    File.symlink(File.join('elsewhere', 'journal'), journal)
    owned_journal.close
    assert File.symlink?(journal)
    assert_equal %w[planner local], Agentworks::Journal.new(File.join(@folder, 'elsewhere', 'journal')).memory.owner
  end

  private

  def journal
    File.join(@folder, 'journal')
  end

  def owned_journal
    Agentworks::Journal.new(journal).tap { |it| assert_nil it.claim('planner', 'local') }
  end

  # Any write, and any other file in its place, makes it another.
  def as_it_is
    there = File.stat(journal)
    [there.ino, there.mtime, File.read(journal)]
  end

  def ledger
    File.read(File.join(@folder, 'ledger'))
  end

  def live_journal(agent)
    agent.instance_variable_get(:@live).journal
  end

  def start(role, agent, count, out: File::NULL)
    arguments = [role, JSON.generate(Stage.credentials(agent)), journal, File.join(@folder, 'ledger'), count.to_s]
    @pid = Process.spawn(RbConfig.ruby, '-w', PROGRAM, *arguments, out: out)
  end

  def kill
    Process.kill(:KILL, @pid)
    Process.wait(@pid)
    @pid = nil
  end

  # Lets the program do some steps, kills it in the midst of the next, and so on; then lets it come to its end.
  def run_and_kill(role, agent, count)
    KILLS.times do
      steps, output = IO.pipe
      start(role, agent, count, out: output)
      output.close
      rand(5..60).times { steps.gets }
      kill
      steps.close
      @lives += 1
    end
    start(role, agent, count)
    Process.wait(@pid)
    @pid = nil
  end
end
