# frozen_string_literal: true

require_relative 'error'

module Agentworks
  # How a session ended: the reason given to `close`, or of the failure, which is then `error`.
  SessionEnd = Struct.new(:reason, :error) do
    # How the broker's last word on a session reads for the application.
    # @param close_reason [String] what was given to `close`, here or by the peer
    def self.by(envelope, close_reason)
      data = envelope['data']
      case envelope['type']
      when 'ERROR', 'SESSION_REJECT' then failed(Errors.from(data))
      when 'SESSION_RESUMED', 'SESSION_CLOSED'
        return failed(Errors.client(:session_lost)) if data.key?('outcome') && data['outcome'] != 'closed'

        data['state'] == 'expired' ? failed(Errors.client(:session_expired)) : new(close_reason, nil)
      # Work that contradicts what came before.
      else failed(Errors.client(:session_lost))
      end
    end

    def self.failed(error)
      new(error.reason.to_s, error)
    end
  end
end
