"""ML2 mechanism driver of the test bed: binds every port on every host at once; there is no agent."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from sqlalchemy import orm


class BindEverything(api.MechanismDriver):
    def initialize(self):
        # Neutron names Port.port_forwardings, which is there once a first query has configured the mappers.
        # Where the first request after a start is one for ports, no query comes before it: 500.
        orm.configure_mappers()

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        if context.host:
            segment = context.segments_to_bind[0]
            details = {portbindings.CAP_PORT_FILTER: True, portbindings.OVS_HYBRID_PLUG: False}
            context.set_binding(
                segment[api.ID], portbindings.VIF_TYPE_OVS, details, status=constants.PORT_STATUS_ACTIVE
            )

    def filter_hosts_with_segment_access(self, context, segments, candidate_hosts, agent_getter):
        return set(candidate_hosts)
