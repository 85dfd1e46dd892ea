# frozen_string_literal: true

# The client core against the vectors that all SDKs share (test/vectors): what is done to one half of a session, and what must come of it.
require 'json'
require 'minitest/autorun'
require 'zlib'
require_relative '../lib/agentworks/journal_records'
require_relative '../lib/agentworks/protocol'

module VectorFiles
  FOLDER = File.expand_path('../../../test/vectors', __dir__)

  module_function

  def read(name)
    path = File.join(FOLDER, name)
    text = name.end_with?('.gz') ? Zlib::GzipReader.open(path, &:read) : File.binread(path)
    expand(JSON.parse(Agentworks::Protocol::Codec.whole_text(text.force_encoding('UTF-8')), max_nesting: false))
  end

  # `{"$text": [part, …]}` stands for a string.
  def expand(value)
    case value
    when Array then value.map { |item| expand(item) }
    when Hash
      return value.transform_values { |member| expand(member) } unless value.keys == ['$text']

      value['$text'].map { |part| part.is_a?(Array) ? part[0] * part[1] : part }.join
    else value
    end
  end
end

class EnvelopeVectorsTest < Minitest::Test
  include Agentworks::Protocol

  VECTORS = VectorFiles.read('envelopes.json')

  VECTORS['broker_lines'].each_with_index do |vector, index|
    define_method("test_broker_line_#{index}_#{vector['name']}") do
      decoded = Codec.decode_broker_line(vector['line'])
      if vector.key?('envelope')
        assert_kind_of Hash, decoded
        assert_covers vector['envelope'], decoded
      else
        fault = vector['fault']
        assert_equal fault.values_at('reason', 'id', 'session_id'), fault_values(decoded)
      end
    end
  end

  def test_frames
    VECTORS['broker_frames'].each do |vector|
      decoded = Codec.decode_broker_frame(vector['text']).map { |one| one.is_a?(Hash) ? one['type'] : one.reason.to_s }
      assert_equal vector['decoded'], decoded, vector['name']
    end
  end

  def test_packing
    VECTORS['packing'].each do |vector|
      lines = vector['lines'].flat_map { |bytes, count| Array.new(count) { 'x' * bytes } }
      frames = Codec.pack_frames(lines)
      assert_equal lines, frames.flat_map { |frame| frame.split("\n", -1) }, vector['name']
      frames.each do |frame|
        assert_operator frame.bytesize, :<=, Limits::FRAME_BYTES_MAX
        assert_operator frame.count("\n"), :<, Limits::FRAME_ENVELOPES_MAX
      end
      # The recorded frames estimate bytes upwards; here they are counted.
      assert_operator frames.length, :<=, vector['frames'].length, vector['name']
    end
  end

  def test_bytes
    VECTORS['utf8'].each { |vector| assert_equal vector['bytes'], vector['text'].bytesize }
  end

  private

  def fault_values(decoded)
    assert_kind_of Fault, decoded
    [decoded.reason.to_s, decoded.id, decoded.session_id]
  end

  # Unknown members may be kept or dropped.
  def assert_covers(expected, actual)
    case expected
    when Hash
      assert_kind_of Hash, actual
      expected.each do |name, value|
        assert_includes actual.keys, name
        assert_covers value, actual[name]
      end
    when Array
      assert_equal expected.length, actual.length
      expected.zip(actual) { |one, other| assert_covers one, other }
    when nil then assert_nil actual
    else assert_equal expected, actual
    end
  end
end

# Does the steps of one case.
class Half
  include Agentworks::Protocol

  def initialize(ids, start)
    @ids = ids
    @core = made(start)
  end

  def left_ids
    @ids
  end

  # @return [Hash] the members of the step that are its answer
  def do_step(step)
    case step['do']
    when 'connected', 'reattach'
      @core.public_send(step['do'])
      {}
    when 'receive' then { 'events' => @core.receive(step['envelope']).map { |event| plain(event) } }
    when 'send' then { 'seq' => send_work(step) }
    when 'take'
      @core.take(step['seq'])
      {}
    when 'lines' then { 'lines' => lines(step['receipts'].to_sym) }
    when 'facts' then facts
    when 'memory' then memory
    else raise "no such step: #{step['do']}"
    end
  end

  private

  # What the caller is told of `lines(:later)` beforehand must be true.
  def lines(receipts)
    waits = @core.waiting_for_broker?
    lines = @core.lines(receipts).map { |line| JSON.parse(line) }
    raise "it waits for the broker, and gave #{lines}" if waits && receipts == :later && !lines.empty?
    raise 'it gave nothing, and did not say so' if !waits && lines.empty?

    lines
  end

  def made(start)
    mint = -> { @ids.shift || raise('no id is left') }
    case start['as']
    when 'offer'
      ClientSession.offer(start['session_id'], start['to'], mint, start.slice('metadata', 'capability', 'ttl_ms'))
    when 'accept' then ClientSession.accept(start['offer'], mint)
    when 'recall' then ClientSession.recall(remembered_of(start), mint)
    else ClientSession.recover(start['session_id'], start['peer'], mint)
    end
  end

  def remembered_of(start)
    members = start.slice('session_id', 'peer', 'epoch', 'taken', 'stored').transform_keys(&:to_sym)
    Remembered.new(**members, lines: start['lines'].map { |line| JSON.generate(line) }, closing: start['is_closing'])
  end

  def memory
    memory = @core.remembered
    {
      'peer' => memory.peer, 'epoch' => memory.epoch, 'taken' => memory.taken, 'stored' => memory.stored,
      'lines' => memory.lines.map { |line| JSON.parse(line) }, 'is_closing' => memory.closing
    }
  end

  def send_work(step)
    more = step.slice('in_reply_to', 'traceparent').transform_keys(&:to_sym)
    @core.send_text(step['type'], step['id'], JSON.generate(step['data']), **more)
  end

  def plain(event)
    kind = event[:kind].to_s
    more =
      case event[:kind]
      when :work then { 'seq' => event[:envelope]['seq'] }
      when :fault then { 'reason' => event[:fault]['data']['reason'] }
      when :unheard then { 'requests' => event[:requests].map { |data| JSON.parse(data) } }
      else event.reject { |name, _| %i[kind detail].include?(name) }.transform_keys(&:to_s)
      end
    { 'kind' => kind }.merge(more)
  end

  def facts
    {
      'state' => @core.state.to_s, 'peer' => @core.peer, 'backlog' => @core.backlog_messages, 'paused' => @core.paused?,
      'oldest_in_flight' => @core.oldest_in_flight, 'owes_receipt' => @core.owes_receipt?, 'awaits' => !@core.awaited.nil?
    }
  end
end

class SessionVectorsTest < Minitest::Test
  %w[sessions.json recalled.json generated/sessions.json.gz].each do |file|
    define_method("test_#{file}") do
      cases = VectorFiles.read(file)['cases']
      refute_empty cases
      cases.each { |one| run_case(one) }
    end
  end

  private

  def run_case(vector)
    half = Half.new(vector['ids'].dup, vector['start'])
    vector['steps'].each_with_index do |step, index|
      answer = half.do_step(step)
      expected = step.slice(*answer.keys)
      assert_equal expected, answer, -> { "#{vector['name']}, step #{index}: #{step}" } if expected != answer
    end
    assert_empty half.left_ids, vector['name']
  end
end

# The journal has one format in every SDK.
class JournalVectorsTest < Minitest::Test
  VectorFiles.read('journals.json')['cases'].each_with_index do |vector, index|
    define_method("test_journal_#{index}_#{vector['name']}") do
      if vector.key?('damaged')
        error = assert_raises(Agentworks::Error) { Agentworks::JournalMemory.read(vector['text'], 'it') }
        assert_equal :journal_damaged, error.reason
        assert_match(/\ALine #{vector['damaged']} of the journal/, error.detail)
      else
        memory = Agentworks::JournalMemory.read(vector['text'], 'it')
        assert_equal vector.slice('owner', 'sessions'), plain(memory)
        # What is left of it says the same.
        assert_equal plain(memory), plain(Agentworks::JournalMemory.read(memory.text.to_a.join, 'it'))
      end
    end
  end

  private

  def plain(memory)
    owner = memory.owner && { 'owner' => { 'agent' => memory.owner[0], 'account' => memory.owner[1] } }
    { **(owner || {}), 'sessions' => memory.sessions.each_value.map { |session| plain_session(session) } }
  end

  def plain_session(session)
    closing = session.closing ? { 'closing' => session.closing } : {}
    {
      'session_id' => session.session, 'peer' => session.peer, 'epoch' => session.epoch, 'taken' => session.taken, 'stored' => session.stored,
      'lines' => session.remembered.lines.map { |line| JSON.parse(line) }, 'messages' => session.messages, 'redelivered' => session.redelivered,
      'ahead' => session.ahead.keys.sort, 'requested' => session.requested.keys,
      'tasks' => session.tasks.each_value.map { |task| { 'request' => task.request, 'cancel' => task.cancel }.compact }
    }.merge(closing)
  end
end
