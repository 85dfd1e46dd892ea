# frozen_string_literal: true

# Everything that a program sees of agentworks: Agentworks.connect, and what it gives.
module Agentworks
end

require_relative 'agentworks/version'
require_relative 'agentworks/error'
require_relative 'agentworks/connect'
require_relative 'agentworks/environment'
