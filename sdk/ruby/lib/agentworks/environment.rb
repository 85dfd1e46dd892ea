# frozen_string_literal: true

require_relative 'error'

# The identity that `agentworks agent run` hands to a program, by environment variables: paths, no secrets.
module Agentworks
  VARIABLES = {
    url: 'AGENTWORKS_URL', certificate: 'AGENTWORKS_CERT_FILE', key: 'AGENTWORKS_KEY_FILE', ca: 'AGENTWORKS_CA_FILE'
  }.freeze
  private_constant :VARIABLES

  # The options for `connect` of a program that was started by `agentworks agent run`: whose agent it is stands in no line of it. The
  # certificate is renewed by itself.
  #   Agentworks.connect(**Agentworks.from_environment) { |agent| … }
  # @return [Hash]
  # @raise [InvalidArgument] with what to do, when the variables are not set
  def self.from_environment(environment = ENV)
    found = VARIABLES.transform_values { |variable| environment[variable] }.reject { |_, value| value.to_s.empty? }
    unless %i[url certificate key].all? { |name| found.key?(name) }
      raise Errors.client(
        :invalid_argument,
        'AGENTWORKS_URL, AGENTWORKS_CERT_FILE and AGENTWORKS_KEY_FILE are not all set: start the program by `agentworks agent run FILE`, or ' \
        'give connect its files.'
      )
    end
    found.merge(renew: true)
  end
end
