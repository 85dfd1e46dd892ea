# frozen_string_literal: true

module Agentworks
  VERSION = '0.1.0'
  # Which SDK this is, as REGISTER tells the broker.
  SDK_NAME = "ruby/#{VERSION}"
end
