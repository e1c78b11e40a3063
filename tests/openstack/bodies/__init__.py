"""Bodies for the servers of the bed's fake Nova: machines of this host that follow Nova, Cinder, Neutron."""
