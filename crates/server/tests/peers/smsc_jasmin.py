# Jasmin whole (the PyPI package `jasmin`): its SMPP server, which routes to its SMPP client, which binds to another
# SMSC; with a redis and a RabbitMQ of its own, everything on free ports of 127.0.0.1 and in one folder:
#   smsc_jasmin.py FOLDER UPSTREAM_PORT [RECEIPTS]      RECEIPTS: deliver_sm (default) or data_sm
# The user is `user`, `secret`. It tells what it sees as JSON lines on standard output: "listening"; for each message
# that Jasmin took, "accepted"; for each that it refused for its pace, "throttled". It is told on standard input:
#   throughput N   N messages a second for the user     unbind   unbinds the user
#   kill           kills Jasmin, not redis and RabbitMQ  start RECEIPTS
# and answers each with "done". It ends, with all that it started, when its standard input closes.
import ctypes, json, logging, os, signal, socket, subprocess, sys, time

HERE, FOLDER, UPSTREAM = sys.argv[0], sys.argv[1], sys.argv[2]


def tell(**what):
    # In a line of its own, whatever a killed Jasmin left of one.
    print("\n" + json.dumps(what), flush=True)


def launch():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
    ports = [str(s.getsockname()[1]) for s in sockets]
    [s.close() for s in sockets]
    redis, epmd, amqp, distribution, smpp, router = ports
    path = lambda name: os.path.join(FOLDER, name)
    for name in ("jasmin", "redis"):
        os.makedirs(path(name))
    for name, text in (("rabbit.conf", ""), ("advanced.config", "[]."), ("plugins", "[]."), ("env.conf", "")):
        with open(path(name), "w") as file:
            file.write(text)
    rabbit = {
        "HOME": FOLDER, "ERL_EPMD_PORT": epmd, "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RUNNING_UNDER_SYSTEMD": "true",  # One process, no shell around it.
        "RABBITMQ_NODENAME": f"r{amqp}@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": amqp, "RABBITMQ_DIST_PORT": distribution,
        "RABBITMQ_MNESIA_BASE": path("mnesia"), "RABBITMQ_LOG_BASE": path("log"), "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": path("rabbit.conf"), "RABBITMQ_ADVANCED_CONFIG_FILE": path("advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": path("plugins"), "RABBITMQ_CONF_ENV_FILE": path("env.conf"),
        "RABBITMQ_GENERATED_CONFIG_DIR": path("generated"), "RABBITMQ_PID_FILE": path("rabbit.pid"),
        "RABBITMQ_FEATURE_FLAGS": "", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none",
    }
    redis_server = run(["redis-server", "--port", redis, "--bind", "127.0.0.1", "--dir", path("redis"), "--save", ""], "redis.log")
    wait_for(epmd, run(["epmd", "-port", epmd, "-address", "127.0.0.1"], "epmd.log"))
    rabbit_server = run(["/usr/lib/rabbitmq/bin/rabbitmq-server"], "rabbit.log", rabbit)
    wait_for(redis, redis_server)
    wait_for(amqp, rabbit_server)

    def start(receipts):
        import txamqp
        # Without log_privacy, Jasmin's log fails on a data_sm, and Jasmin sends the receipt again and again.
        sections = {
            "smpp-server": {"bind": "127.0.0.1", "port": smpp, "billing_feature": "no", "log_privacy": "yes"},
            "router": {"bind": "127.0.0.1", "port": router, "store_path": path("jasmin")},
            "client-management": {"bind": "127.0.0.1", "port": "0", "store_path": path("jasmin")},
            "smpp-server-pb": {"bind": "127.0.0.1", "port": "0"},
            "amqp-broker": {"port": amqp, "spec": f"{txamqp.__path__[0]}/specs/standard/amqp0-9-1.stripped.xml"},
            "redis-client": {"port": redis},
            # A receipt may overtake what the DLR lookup has to know of its message.
            "dlr": {"dlr_lookup_retry_delay": "1", "dlr_lookup_max_retries": "30"},
            "dlr-thrower": {"dlr_pdu": receipts, "retry_delay": "1", "max_retries": "30"},
            "sm-listener": {"submit_retrial_delay_smppc_not_ready": "1"},
        }
        with open(path("jasmin.cfg"), "w") as file:
            for section, keys in sections.items():
                file.write(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()))
        environment = {"LOG_PATH": path("jasmin"), "CONFIG_PATH": path("jasmin")}
        arguments = [sys.executable, HERE, FOLDER, UPSTREAM, "daemon"]
        daemon = run(arguments, None, environment, stdin=subprocess.PIPE)
        wait_for(smpp, daemon)
        return daemon

    daemon = start(sys.argv[3] if len(sys.argv) > 3 else "deliver_sm")
    tell(listening=int(smpp))
    for line in sys.stdin:
        command, *values = line.split()
        if command == "kill":
            daemon.kill()
            daemon.wait()
            tell(done=line.strip())
        elif command == "start":
            daemon = start(*values)
            tell(done=line.strip())
        else:
            daemon.stdin.write(line.encode())
            daemon.stdin.flush()


def run(arguments, log, environment={}, **more):
    def die_with_parent():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    out = open(os.path.join(FOLDER, log), "w") if log else None
    more = {"stdin": subprocess.DEVNULL, **more}
    return subprocess.Popen(
        arguments, env={**os.environ, **environment}, stdout=out, stderr=out, preexec_fn=die_with_parent, **more)


def wait_for(port, process):
    for _ in range(2400):
        try:
            return socket.create_connection(("127.0.0.1", int(port))).close()
        except OSError:
            time.sleep(0.05)
        if process.poll() is not None:
            break
    for log in ("epmd.log", "redis.log", "rabbit.log"):
        if os.path.exists(os.path.join(FOLDER, log)):
            with open(os.path.join(FOLDER, log)) as file:
                sys.stderr.write(file.read()[-2000:])
    sys.exit(f"{process.args[:2]} does not listen on {port}")


def daemon():
    """What `jasmind.py` does, without its lock for the whole machine, and set up without its console."""
    import pickle
    from twisted.internet import defer, reactor, stdio
    from twisted.protocols.basic import LineReceiver
    from jasmin.bin.jasmind import JasminDaemon, Options
    from jasmin.protocols.smpp.configs import SMPPClientConfig
    from jasmin.routing.jasminApi import Group, SmppClientConnector, User
    from jasmin.routing.Routes import DefaultRoute

    options = Options()
    options.parseOptions([
        "--config", os.path.join(FOLDER, "jasmin.cfg"), "--enable-dlr-lookup", "--enable-dlr-thrower",
        "--disable-http-api", "--disable-jcli"])
    jasmin = JasminDaemon(options)
    group = Group("group")
    user = User("user", group, "user", "secret")

    class Tell(logging.Handler):
        def emit(self, record):
            text = str(record.msg)
            if text.startswith("SMS-MT"):
                to = record.args[5].decode()
                tell(accepted={"to": to, "id": record.args[2]})
            elif text.startswith("QoS"):
                tell(throttled=True)

    class Told(LineReceiver):
        delimiter = b"\n"

        def lineReceived(self, line):
            command, *values = line.decode().split()
            if command == "throughput":
                user.mt_credential.setQuota("smpps_throughput", float(values[0]))
            elif command == "unbind":
                jasmin.components["smpp-server-factory"].unbindGateway("user")
            tell(done=line.decode())

    @defer.inlineCallbacks
    def start():
        yield jasmin.startRedisClient()
        jasmin.startAMQPBrokerService()
        yield jasmin.components["amqp-broker-factory"].getChannelReadyDeferred()
        yield jasmin.startRouterPBService()
        jasmin.startSMPPClientManagerPBService()
        yield jasmin.startDLRLookupService()
        router, clients = jasmin.components["router-pb-factory"], jasmin.components["smppcm-pb-factory"]
        router.perspective_group_add(pickle.dumps(group))
        router.users.append(user)
        router.perspective_mtroute_add(pickle.dumps(DefaultRoute(SmppClientConnector("upstream"), 0.0)), 0)
        connector = SMPPClientConfig(
            id="upstream", host="127.0.0.1", port=int(UPSTREAM), username="plain", password="secret",
            submit_sm_throughput=0, reconnectOnConnectionLossDelay=1, reconnectOnConnectionFailureDelay=1,
            requeue_delay=1)
        yield clients.perspective_connector_add(pickle.dumps(connector))
        yield clients.perspective_connector_start("upstream")
        jasmin.startSMPPServerService()
        logging.getLogger("smpp.server.smpps_01").addHandler(Tell())
        yield jasmin.startDLRThrowerService()

    def failed(failure):
        failure.printTraceback()
        os._exit(1)

    stdio.StandardIO(Told(), stdout=os.open(os.devnull, os.O_WRONLY))
    reactor.callWhenRunning(lambda: start().addErrback(failed))
    reactor.run()


daemon() if sys.argv[3:] == ["daemon"] else launch()
