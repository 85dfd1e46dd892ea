# frozen_string_literal: true

# Whatever a broker says, in whatever order: the core of a client raises nothing, and what it says itself stays within the rules that can be
# seen from here. A failure names its seed; SEED=… runs that one.
require 'json'
require 'minitest/autorun'
require_relative '../lib/agentworks'

class FuzzTest < Minitest::Test
  include Agentworks::Protocol

  SESSION = '01a1ee56-5e03-7000-8000-000000000000'
  SEEDS = ENV.key?('SEED') ? [Integer(ENV.fetch('SEED'))] : Array.new(300) { |seed| seed }

  def test_the_core_takes_whatever_comes
    SEEDS.each do |seed|
      @random = Random.new(seed)
      @ids = 0
      run_session
    rescue StandardError => e
      flunk "SEED=#{seed}: #{e.class}: #{e.message}\n#{e.backtrace.first(5).join("\n")}"
    end
  end

  def test_lines_of_any_bytes_are_read_or_are_faults
    random = Random.new(1)
    line = JSON.generate(envelope_of('MESSAGE', random))
    2_000.times do
      mutated = line.dup
      random.rand(1..4).times { mutated[random.rand(mutated.length)] = ['"', '{', '}', '\\', 'u', 'd8', '', 'é', "\0"].sample(random: random) }
      Codec.decode_broker_frame(mutated).each { |one| assert(one.is_a?(Hash) || one.is_a?(Fault)) }
    end
  end

  private

  def mint
    @ids += 1
    format('01a1ee56-5e00-7000-8000-%012d', @ids)
  end

  def run_session
    core = start
    core.connected
    @highest = 0
    100.times { step(core) }
    core.remembered
  end

  def start
    case @random.rand(3)
    when 0 then ClientSession.offer(SESSION, 'analyst', method(:mint))
    when 1 then ClientSession.accept({ 'session_id' => SESSION, 'from' => 'analyst', 'id' => mint }, method(:mint))
    else ClientSession.recover(SESSION, 'analyst', method(:mint))
    end
  end

  def step(core)
    case @random.rand(10)
    when 0 then core.connected
    when 1, 2 then core.send_text('MESSAGE', mint, '{"content":1}') unless core.state == :recovering
    when 3 then core.take(@random.rand(5))
    when 4 then judge(core.lines(%i[now later].sample(random: @random)))
    else core.receive(envelope_of(Types::BROKER.to_a.sample(random: @random), @random))
    end
    core.awaited
    core.waiting_for_broker?
  end

  # Every line is an envelope that an agent may send, of this session.
  def judge(lines)
    lines.each do |line|
      envelope = JSON.parse(line)
      assert_includes Types::CLIENT, envelope['type']
      assert_equal SESSION, envelope['session_id']
    end
  end

  def envelope_of(type, random)
    number = -> { random.rand(8) }
    fault = { 'code' => 'internal', 'reason' => Errors::TABLE.keys.sample(random: random).to_s, 'detail' => 'd', 'retryable' => true,
              'processed' => 'no', 'scope' => 'session' }
    data = {
      'content' => 1, 'epoch' => 'e', 'peer' => 'analyst', 'capabilities' => [], 'delivered' => number.call, 'received' => number.call,
      'outcome' => Types::RESUME_OUTCOMES.to_a.sample(random: random), 'state' => Types::SESSION_STATES.to_a.sample(random: random),
      'task_id' => SESSION, 'status' => 'succeeded', 'capability' => 'echo', 'input' => 1, 'progress' => 1
    }
    data['taken'] = number.call if random.rand(2).zero?
    data = data.merge(fault) if %w[ERROR SESSION_REJECT].include?(type)
    {
      'type' => type, 'id' => format('01a1ee56-5e00-7000-9000-%012d', number.call), 'session_id' => SESSION, 'seq' => number.call + 1,
      'ack' => number.call, 'limit' => number.call, 'data' => data
    }
  end
end
