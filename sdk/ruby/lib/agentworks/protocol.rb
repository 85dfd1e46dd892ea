# frozen_string_literal: true

# The sans-I/O core of a client: what the protocol is, without a clock, dice or sockets. Nothing here knows of the SDK around it.
require_relative 'protocol/client'
require_relative 'protocol/codec'
require_relative 'protocol/envelope'
require_relative 'protocol/errors'
require_relative 'protocol/ids'
require_relative 'protocol/limits'
require_relative 'protocol/streams'
require_relative 'protocol/types'
