# frozen_string_literal: true

# The words between the client half and whoever drives it: its states, what the application hears, what must outlive the process.
#
# States: offering, accepting: waiting for the broker's SESSION_ACCEPT · ready: accepted, and this connection is attached ·
# resuming: accepted, SESSION_RESUME sent or to be sent · recovering: the same, without a memory of it · ended: no work will
# flow again.
#
# Events are hashes with `kind`, what the application hears; `work` comes in order and once:
#   accepted {capabilities} · resumed · unheard {requests} · recovered {sent, requested, closing} · work {envelope} ·
#   receipts {stored, delivered} · flow {paused} · fault {fault} · ended {reason, detail}
# `requests` are the `data` of TASK_REQUESTs that were stored while nothing the broker said was heard: if it refused one of them
# (T9), that is lost. Ask again for those that are open (A11).
# Work through recovered's `sent` may have been taken in an earlier life; `requested` are tasks that this agent asked for then.
# closing: that life or the peer has closed the session; nothing more is to be said in it.
module Agentworks
  module Protocol
    # What must outlive a client's process, so that the next one goes on with the session as after any disconnect (A2):
    # the application has taken everything through `taken`; of this end's own, the broker has stored everything through `stored`, and `lines` are
    # the exact lines of all that was queued after it, in order; closing: either side has closed it.
    Remembered = Struct.new(:session_id, :peer, :epoch, :taken, :stored, :lines, :closing, keyword_init: true)
  end
end
