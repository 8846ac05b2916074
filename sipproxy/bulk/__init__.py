"""Import and export: files on one side, the store on the other. Works beside a running service and without one."""
