"""For /etc/jupyter on the hub: every learner's own server."""

c = get_config()  # noqa: F821 - Jupyter provides it

# Who has gone home leaves the memory to others: kernels after an hour, then the server.
c.MappingKernelManager.cull_idle_timeout = 3600
c.MappingKernelManager.cull_interval = 300
c.ServerApp.shutdown_no_activity_timeout = 7200
# The workbook's own pages open notebooks in the JupyterLab that they are shown in.
c.LabApp.expose_app_in_browser = True
