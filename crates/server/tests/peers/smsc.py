"""An SMSC on the PyPI package smpp-twisted3 (the stack of Jasmin). It plays a few outcomes by the recipient's last
digit, like the sandbox, and tells what it sees as JSON lines on standard output."""

import json
import sys

from smpp.pdu.operations import DeliverSM
from smpp.pdu.pdu_types import CommandStatus, EsmClass, EsmClassMode, EsmClassType
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineReceiver

next_id = 5000


def tell(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Realm:
    def requestAvatar(self, avatar_id, mind, *interfaces):
        return interfaces[0], avatar_id, lambda: None


def receipt(smpp, pdu, message_id, stat, err):
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2603010915 done date:2603010916 stat:{stat} err:{err} text:"
    smpp.sendDataRequest(DeliverSM(
        source_addr=pdu.params["destination_addr"],
        destination_addr=pdu.params["source_addr"],
        esm_class=EsmClass(EsmClassMode.DEFAULT, EsmClassType.SMSC_DELIVERY_RECEIPT),
        short_message=text.encode(),
    )).addErrback(lambda failure: tell({"failed": str(failure.value)}))


def handle(system_id, smpp, pdu):
    global next_id
    to = pdu.params["destination_addr"].decode()
    tell({"submit": {
        "to": to,
        "from": pdu.params["source_addr"].decode(),
        "coding": str(pdu.params["data_coding"]),
        "octets": pdu.params["short_message"].hex(),
    }})
    if to.endswith("2"):
        return DataHandlerResponse(CommandStatus.ESME_RSUBMITFAIL)
    next_id += 1
    message_id = str(next_id)
    if not to.endswith("3"):
        stat, err = ("UNDELIV", "001") if to.endswith("1") else ("DELIVRD", "000")
        reactor.callLater(0.02, receipt, smpp, pdu, message_id, stat, err)
    return DataHandlerResponse(CommandStatus.ESME_ROK, message_id=message_id.encode())


class UntilEndOfInput(LineReceiver):
    """The test that started it closes its standard input by ending."""

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


checker = InMemoryUsernamePasswordDatabaseDontUse()
checker.addUser("user", "secret")
config = SMPPServerConfig(msgHandler=handle, systems={"user": {"max_bindings": 4}})
factory = SMPPServerFactory(config, auth_portal=Portal(Realm(), [checker]))
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
stdio.StandardIO(UntilEndOfInput())
tell({"listening": port.getHost().port})
reactor.run()
