# frozen_string_literal: true

# What the broker's refusals mean to the client half, as values: how a session goes on after an ERROR, and what is said of one
# that cannot go on. Nothing here changes anything.
module Agentworks
  module Protocol
    module ClientFaults
      MISMATCH_DETAIL =
        'The broker repeated a number with another envelope: its storage is an older one; the session cannot go on.'
      # Of a SESSION_RESUMED.
      OUTCOME_DETAIL = {
        'resumed' => '',
        'closed' => 'The session is closed. What was acknowledged before is stored.',
        'unknown' => 'The broker does not know the session.',
        'gap' => 'The broker and this client do not agree on what was sent; the session cannot go on without losing something.',
        'epoch_mismatch' => 'The session was restored from older storage; it cannot go on without losing something.'
      }.freeze

      module_function

      # How a session goes on after an ERROR. ask: whatever was asked is asked again · attach: the session is attached again, where
      # that is not under way · recover: asks where an earlier life came to (A8) · end: the session has ended · none: it goes on as
      # it was.
      # @return [:ask, :attach, :recover, :end, :none]
      def remedy_for(reason, state)
        case reason
        when 'too_many_lookups', 'relay_lost'
          # The question itself may be what was lost.
          :ask
        when 'session_not_attached', 'sequence_gap', 'ack_beyond', 'flow_control'
          # All of them say the same: what is on the way is not what the broker expects.
          :attach
        when 'session_exists', 'self_session', 'too_many_sessions'
          # They refuse INIT or ACCEPT. Once the session is open the question was a late copy, and its answer is about nothing.
          %i[offering accepting].include?(state) ? :end : :none
        when 'session_not_pending'
          # An earlier life of this agent had accepted it already.
          state == :accepting ? :recover : :none
        when 'session_unknown', 'session_closed', 'session_damaged', 'invalid_envelope', 'envelope_too_large', 'too_deep', 'from_mismatch'
          # An envelope that the broker cannot take stops the stream: nothing after it would ever be in sequence.
          :end
        else :none
        end
      end
    end
  end
end
