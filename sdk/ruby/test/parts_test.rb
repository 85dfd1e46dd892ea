# frozen_string_literal: true

# The SDK's small parts by themselves: waits, queues, the heartbeat's clock, the inbox, what is remembered, its tables.
require_relative 'support/stage'

class PartsTest < Minitest::Test
  def test_backoff_doubles_up_to_its_maximum_with_full_jitter
    bounds = Agentworks::Backoff.new(base_ms: 100, max_ms: 30_000)
    most = [0, 1, 2, 3, 8, 9, 5000].map { |attempt| bounds.wait_ms(attempt, 1 - Float::EPSILON) }
    assert_equal [99, 199, 399, 799, 25_599, 29_999, 29_999], most
    assert_equal 0, bounds.wait_ms(7, 0)
  end

  def test_a_channel_gives_values_in_order_says_what_was_taken_and_ends_after_what_is_queued
    taken = []
    lock, channel = make_channel(on_take: ->(value) { taken << value })
    lock.synchronize { [1, 2, 3].each { |value| channel.push(value) } }
    assert_equal [1, [1]], [channel.next, taken]
    lock.synchronize { channel.finish && channel.push(4) }
    assert_equal [[2, 3], [1, 2, 3]], [channel.to_a, taken]
    assert_raises(StopIteration) { channel.next }
  end

  def test_a_channel_fails_its_readers_after_what_is_queued
    lock, channel = make_channel
    waiting = Thread.new { channel.next rescue $!.message } # rubocop:disable Style/RescueModifier
    Thread.pass until waiting.status == 'sleep'
    lock.synchronize { channel.finish(Agentworks::Error.new('lost')) }
    assert_equal 'internal: lost', waiting.value
    assert_raises(Agentworks::Error) { channel.each { flunk } }
  end

  def test_a_channel_with_a_bound_keeps_the_newest_and_a_wait_has_an_end
    lock, channel = make_channel(size_max: 2)
    lock.synchronize { [1, 2, 3].each { |value| channel.push(value) } }
    assert_equal [2, 2, 3], [channel.size, channel.next, channel.next]
    assert_raises(Agentworks::TimedOut) { channel.next(timeout: 0.01) }
  end

  def test_a_channel_knows_who_reads
    lock, channel = make_channel
    lock.synchronize { [1, 2].each { |value| channel.push(value) } }
    refute channel.read?
    assert_equal(1, channel.each { |value| break value.tap { assert channel.read? } })
    refute channel.read?
    channel.next
    assert channel.read?
  end

  def test_each_lets_a_stop_iteration_of_its_block_through
    lock, channel = make_channel
    lock.synchronize { channel.push(1) }
    assert_raises(StopIteration) { channel.each { raise StopIteration } }
  end

  def test_the_inbox_takes_a_number_only_when_everything_before_it_is_taken
    taken = []
    inbox = Agentworks::Inbox.new { |seq| taken << seq }
    a, b, c = [1, 2, 3].map { |seq| inbox.arrived(seq) }
    [b, c, a, a].each { |slot| inbox.done(slot) }
    assert_equal [3], taken
    inbox.done(inbox.arrived(4))
    assert_equal [3, 4], taken
  end

  def test_receipts_are_settled_in_order_by_cumulative_numbers_and_fail_when_none_will_come
    lock = Mutex.new
    receipts = Agentworks::Receipts.new(lock)
    a, b, c = [1, 2, 4].map { |seq| receipts.add("id#{seq}", seq) }
    lock.synchronize { receipts.settle(2, 1) }
    assert_equal [a, b, a], [a.stored, b.stored, a.delivered]
    lock.synchronize { receipts.fail_with(Agentworks::Error.new('over')) }
    assert_same b, b.stored
    [-> { b.delivered }, -> { c.stored }, -> { c.delivered }].each { |lost| assert_raises(Agentworks::Error) { lost.call } }
  end

  # [L15, L28]
  def test_a_stall_is_the_same_wait_for_too_long_and_is_said_once_in_that_time
    stall = Agentworks::Stall.new
    seen = [[1, 0], [1, 29], [2, 31], [2, 60], [2, 61], [2, 62], [2, 91]].map { |mark, now| stall.stalled?(mark, now, 30) }
    assert_equal [false, false, false, false, true, false, true], seen
    assert_equal([false, false, false], [[nil, 200], [2, 201], [2, 230]].map { |mark, now| stall.stalled?(mark, now, 30) })
  end

  # [H2]
  def test_who_hears_all_the_time_and_says_nothing_beats_after_each_interval
    assert_equal [20, 40, 60], beats(60) { |heartbeat, now| heartbeat.heard(now) }
  end

  # [H2]
  def test_who_sends_and_is_answered_does_not_beat
    assert_equal([], beats(200) do |heartbeat, now|
      heartbeat.sent(now)
      heartbeat.heard(now)
    end)
  end

  # [H2, L14]
  def test_who_sends_and_hears_nothing_asks_once_and_gives_up
    assert_equal [20, [:give_up, 45]], beats(90) { |heartbeat, now| heartbeat.sent(now) }
  end

  # [H2, L14]
  def test_in_a_silence_it_asks_at_each_interval_and_gives_up_once
    assert_equal [20, 40, [:give_up, 45]], beats(200) { nil }
  end

  # [C7]
  def test_told_that_frames_come_too_fast_lines_wait_for_company
    frames = Thread::Queue.new
    turned = Thread::Queue.new
    connection = Struct.new(:frames) do
      def open?
        true
      end

      def send_frames(sent)
        sent.each { |frame| frames << frame }
      end
    end.new(frames)
    lock = Mutex.new
    outlet = nil
    turn = lambda do
      outlet&.flush
      turned << true
    end
    loop = Agentworks::EventLoop.new(lock, 'outlet', turn: turn, failed: ->(error) { raise error })
    lock.synchronize { outlet = Agentworks::Outlet.new(loop) { connection } }
    talk = lambda do
      100.times do |n|
        lock.synchronize { turned.clear && outlet.line("line #{n}") }
        turned.pop
      end
      lines = count = 0
      while lines < 100
        lines += frames.pop.lines.count
        count += 1
      end
      assert_equal 100, lines
      count
    end
    assert_operator talk.call, :>, 50
    lock.synchronize { outlet.slow_down }
    assert_operator talk.call, :<, 50
  ensure
    lock.synchronize { loop.stop }
    loop.join
  end

  def test_recent_forgets_the_oldest
    recent = Agentworks::Recent.new(2)
    %w[a b a c].each { |name| recent.add(name) }
    assert_equal [false, true, true], %w[a b c].map { |name| recent.include?(name) }
  end

  def test_ids_are_uuids_of_their_time_and_differ
    mint = Agentworks::Mint.new
    ids = Array.new(3_000) { mint.call }
    assert_equal 3_000, ids.uniq.length
    assert(ids.all? { |id| Agentworks::Protocol::Ids.uuid?(id) })
    assert_equal '018bcfe5-6800-7031-b233-343536373839', Agentworks::Protocol::Ids.uuidv7(1_700_000_000_000, '0123456789')
  end

  def test_each_code_of_the_table_has_a_class_and_the_version_is_the_gems
    codes = Agentworks::Protocol::Errors::TABLE.each_value.map(&:code).uniq
    assert_equal codes.sort, Agentworks::Errors::CLASSES.keys.sort
    Agentworks::Errors::CLIENT.each_key { |reason| assert_equal reason, Agentworks::Errors.client(reason).reason }
    error = Agentworks::Errors.wire(:of_a_later_version)
    assert_equal [:of_a_later_version, :internal], [error.reason, error.code]
    gemspec = Gem::Specification.load(File.expand_path('../agentworks.gemspec', __dir__))
    assert_equal Agentworks::VERSION, gemspec.version.to_s
  end

  private

  def make_channel(**options)
    lock = Mutex.new
    [lock, Agentworks::Channel.new(lock, **options)]
  end

  # Every second something happens, until then. @return [Array] when it beat, and when it gave up
  def beats(seconds)
    heartbeat = Agentworks::Heartbeat.new(20, 45, 0)
    said = []
    (1..seconds).each do |now|
      due = heartbeat.due(now)
      said << now if due == :beat
      return said << [:give_up, now] if due == :give_up

      yield heartbeat, now
    end
    said
  end
end
