# frozen_string_literal: true

require 'date'
require_relative 'ids'
require_relative 'limits'
require_relative 'types'

# What the broker's envelopes must have to be what their type says (PROTOCOL, Types): one check for each member, one table of
# checks for each type. Unknown members are let be (E4); a type that is not in the table is refused (E5).
module Agentworks
  module Protocol
    module Envelope
      RFC3339 = /\A\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)\z/.freeze
      private_constant :RFC3339

      # Numbers are IEEE doubles (E4): 3.0 is 3, and beyond 2⁵³ nothing is counted.
      whole = ->(value, from, to) { (value.is_a?(Integer) || (value.is_a?(Float) && value % 1 == 0)) && value.between?(from, to) }
      count_max = (2**53) - 1
      count = ->(value) { whole.call(value, 0, count_max) }
      position = ->(value) { whole.call(value, 1, count_max) }
      string = ->(value) { value.is_a?(String) }
      boolean = ->(value) { true.equal?(value) || false.equal?(value) }
      object = ->(value) { value.is_a?(Hash) }
      up_to = ->(length) { ->(value) { value.is_a?(String) && value.length <= length } }
      one_of = ->(values) { ->(value) { values.include?(value) } }
      list_of = ->(check) { ->(value) { value.is_a?(Array) && value.all?(&check) } }
      uuid = Ids.method(:uuid?)
      agent = Ids.method(:agent?)
      capability_name = Ids.method(:capability?)
      anything = ->(_) { true }
      offset_time = lambda do |value|
        value.is_a?(String) && value.match?(RFC3339) && Date.valid_date?(*value[0, 10].split('-').map(&:to_i))
      end

      # A schema: member → check; a name that ends in `?` may be left out.
      Schema = Struct.new(:required, :optional) do
        def call(value)
          value.is_a?(Hash) &&
            required.all? { |name, check| value.key?(name) && check.call(value[name]) } &&
            optional.all? { |name, check| !value.key?(name) || check.call(value[name]) }
        end

        def to_proc
          method(:call).to_proc
        end
      end
      schema = lambda do |members|
        optional, required = members.partition { |name, _| name.end_with?('?') }
        Schema.new(required.to_h, optional.to_h { |name, check| [name.delete_suffix('?'), check] })
      end

      CAPABILITY = schema.call(
        'name' => capability_name, 'version?' => up_to.call(64), 'description?' => up_to.call(1024),
        'input_schema?' => object, 'output_schema?' => object,
        'max_concurrency?' => ->(value) { whole.call(value, 1, 10_000) }
      )
      capabilities = list_of.call(CAPABILITY)

      header = {
        'from?' => agent, 'to?' => agent, 'in_reply_to?' => uuid, 'timestamp?' => offset_time, 'traceparent?' => up_to.call(128)
      }
      own = header.merge('id' => uuid)
      anonymous = header.merge('id?' => uuid)
      in_session = own.merge('session_id' => uuid, 'ack?' => count)
      sequenced = in_session.merge('seq' => position)
      fault = schema.call(
        'code' => string, 'reason' => string, 'detail' => string, 'retryable' => boolean,
        'processed' => one_of.call(%w[no maybe yes]), 'scope' => string
      )
      task_error = schema.call('reason' => up_to.call(128), 'message' => up_to.call(8192), 'retryable?' => boolean)
      pause = anonymous.merge('session_id?' => uuid, 'ack?' => count)
      data = ->(members) { { 'data' => schema.call(members) } }

      # Type → what its envelopes must have.
      BROKER = {
        'MESSAGE' => sequenced.merge(data.call('content' => anything)),
        'TASK_REQUEST' => sequenced.merge(
          data.call(
            'task_id' => uuid, 'capability' => capability_name, 'input' => anything, 'deadline?' => offset_time,
            'redelivered?' => ->(value) { true.equal?(value) }
          )
        ),
        'TASK_PROGRESS' => sequenced.merge(data.call('task_id' => uuid, 'progress' => anything)),
        'TASK_RESPONSE' => sequenced.merge(
          data.call(
            'task_id' => uuid, 'status' => one_of.call(Types::DELIVERED_TASK_STATUSES), 'result?' => anything, 'error?' => task_error
          )
        ),
        'TASK_CANCEL' => sequenced.merge(data.call('task_id' => uuid, 'reason?' => up_to.call(1024))),
        'SESSION_CLOSE' => sequenced.merge('data?' => schema.call('reason?' => up_to.call(1024))),
        'MESSAGE_ACK' => anonymous.merge(
          'session_id' => uuid, 'ack' => count, 'limit?' => count, 'data?' => schema.call('delivered?' => count)
        ),
        'PAUSE' => pause,
        'RESUME' => pause,
        'HEARTBEAT_ACK' => {},
        'REGISTER_ACK' => own.merge(
          data.call(
            'agent' => agent, 'account' => string,
            'limits' => ->(value) { value.is_a?(Hash) && value.each_value.all?(Numeric) },
            'heartbeat_ms' => position,
            'sessions' => list_of.call(schema.call('session_id' => uuid, 'peer' => agent))
          )
        ),
        'CAPABILITY_ACK' => own.merge(data.call('capabilities' => list_of.call(capability_name))),
        'AGENT_LIST' => own.merge(
          data.call(
            'agents' => list_of.call(schema.call('agent' => agent, 'connected' => boolean, 'capabilities' => capabilities)),
            'next?' => string
          )
        ),
        'GOAWAY' => own.merge(data.call('reason' => up_to.call(1024))),
        'ERROR' => anonymous.merge('session_id?' => uuid, 'data' => fault),
        'SESSION_INIT' => in_session.merge(
          data.call('metadata?' => anything, 'capability?' => capability_name, 'capabilities' => capabilities)
        ).merge('from' => agent),
        'SESSION_ACCEPT' => in_session.merge(
          'limit' => count, 'data' => schema.call('epoch' => up_to.call(64), 'peer' => agent, 'capabilities' => capabilities)
        ),
        'SESSION_REJECT' => in_session.merge('data' => fault),
        'SESSION_RESUMED' => in_session.merge(
          'limit' => count,
          'data' => schema.call(
            'outcome' => one_of.call(Types::RESUME_OUTCOMES), 'epoch?' => up_to.call(64),
            'state?' => one_of.call(Types::SESSION_STATES), 'received' => count, 'delivered' => count,
            'taken?' => count, 'sent?' => count, 'requested?' => list_of.call(uuid)
          )
        ),
        'SESSION_CLOSED' => in_session.merge(
          data.call('state' => one_of.call(Types::SESSION_STATES), 'received' => count, 'delivered' => count)
        )
      }.transform_values { |members| schema.call(members.reject { |name, _| name == 'from?' && members.key?('from') }) }.freeze

      # What is counted in the envelopes that sessions live by, and in their `data`.
      COUNTS = %w[seq ack limit].freeze
      DATA_COUNTS = %w[received delivered taken sent].freeze
      private_constant :COUNTS, :DATA_COUNTS

      module_function

      # The same envelope, as the rest of the core takes it: counts are Integers, and `data` is there where it has a default.
      def settle(envelope)
        envelope['data'] ||= {} if envelope['type'] == 'SESSION_CLOSE'
        COUNTS.each { |name| envelope[name] = envelope[name].to_i if envelope[name].is_a?(Float) }
        data = envelope['data']
        DATA_COUNTS.each { |name| data[name] = data[name].to_i if data[name].is_a?(Float) } if data && !work?(envelope)
        envelope
      end

      # Whether an envelope takes a `seq`.
      def work?(envelope)
        Types::WORK.include?(envelope['type'])
      end

      # @return [Symbol, nil] why a parsed object is no envelope of the broker's
      def fault_of(value)
        type = value['type']
        checks = BROKER[type]
        return :invalid_envelope if checks && !checks.call(value)
        return nil if checks

        Types::CLIENT.include?(type) ? :wrong_direction : :unknown_type
      end

      # @return [String, nil] the member of a capability that does not fit
      def misfit_of(capability)
        checks = CAPABILITY.required.merge(CAPABILITY.optional)
        checks.each { |name, check| return name if capability.key?(name) && !check.call(capability[name]) }
        capability.each_key { |name| return name unless checks.key?(name) }
        nil
      end
    end
  end
end
