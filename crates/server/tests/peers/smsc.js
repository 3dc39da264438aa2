// An SMSC on the npm package `smpp`. It plays outcomes by the recipient's last digit, like the sandbox, and tells
// what it sees as JSON lines on standard output. The `system_id` of the bind chooses its manners:
//   early  sends the receipt before the submit_sm_resp      hex   answers ids in hex, receipts in decimal
//   tlv    tells receipts in TLVs alone                     drop  closes the connection on every 20th submit_sm
//   full   its queue is full for the first 3 submits of each recipient
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const LATE_MS = Number(process.env.LATE_MS || 1000);
const STATES = { DELIVRD: 2, EXPIRED: 3, UNDELIV: 5, ACCEPTD: 6, REJECTD: 8 };
const attempts = new Map();
let nextId = 1000;
let submits = 0;
let receiver = null;

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

// Offers a receipt to whoever is bound to receive, until it is acknowledged.
function receipt(manners, pdu, id, stat, err) {
  const again = () => receipt(manners, pdu, id, stat, err);
  if (!receiver || !receiver.socket.writable) {
    setTimeout(again, 50);
    return;
  }
  const shown = manners === 'hex' ? String(parseInt(id, 16)) : id;
  const tlvs = { receipted_message_id: shown, message_state: STATES[stat] };
  const text = `id:${shown} sub:001 dlvrd:001 submit date:2603010915 done date:2603010916 stat:${stat} err:${err} text:x`;
  const timer = setTimeout(again, 1000);
  receiver.deliver_sm({
    source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4,
    ...(manners === 'tlv' ? { ...tlvs, short_message: '' } : { short_message: text }),
  }, (response) => {
    clearTimeout(timer);
    tell({ receipt: { id, stat, status: response.command_status } });
  });
}

// What is no receipt, or none that can be read: a message from a handset, a status that nobody knows, no id.
function handset(session) {
  const texts = [[0, 'yes-from-a-handset'], [4, 'id:1 stat:PONDER err:000 text:x'], [4, 'stat:DELIVRD err:000 text:x']];
  texts.forEach(([esm_class, short_message]) => session.deliver_sm({
    source_addr: '306900000010', destination_addr: '47110', esm_class, short_message,
  }, (response) => tell({ handset: { status: response.command_status } })));
}

function play(manners, pdu, id) {
  const after = (ms, stat, err = '000') => setTimeout(() => receipt(manners, pdu, id, stat, err), ms);
  switch (pdu.destination_addr.slice(-1)) {
    case '1': return after(10, 'UNDELIV', '001');
    case '3': return;
    case '4': return after(LATE_MS, 'DELIVRD');
    case '6': after(10, 'DELIVRD'); after(15, 'DELIVRD'); return after(20, 'ACCEPTD');
    case '7': return after(10, 'UNDELIV', '013');
    default: return after(10, 'DELIVRD');
  }
}

function submit(session, manners, pdu) {
  submits += 1;
  const digit = pdu.destination_addr.slice(-1);
  const key = pdu.destination_addr;
  const count = (attempts.get(key) || 0) + 1;
  attempts.set(key, count);
  const message = pdu.message_payload || pdu.short_message;
  tell({ submit: {
    to: pdu.destination_addr, from: pdu.source_addr, ton: pdu.source_addr_ton, npi: pdu.source_addr_npi,
    dest_ton: pdu.dest_addr_ton, dest_npi: pdu.dest_addr_npi, esm_class: pdu.esm_class, data_coding: pdu.data_coding,
    registered_delivery: pdu.registered_delivery, validity_period: pdu.validity_period,
    text: message && message.message, payload: Boolean(pdu.message_payload),
    udh: message && message.udh ? message.udh.map((element) => element.toString('hex')) : [],
    sar: pdu.sar_msg_ref_num === undefined ? null
      : [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
  } });
  if (manners === 'drop' && submits % 20 === 0) {
    session.destroy();
    return;
  }
  const refuse = (command_status) => session.send(pdu.response({ command_status }));
  if (digit === '2') return refuse(smpp.ESME_RSUBMITFAIL);
  if (digit === '5' && count <= 3) return refuse(smpp.ESME_RTHROTTLED);
  if (manners === 'full' && count <= 3) return refuse(smpp.ESME_RMSGQFUL);
  nextId += 1;
  const id = manners === 'hex' ? nextId.toString(16).toUpperCase() : `m-${nextId}`;
  if (manners === 'early') {
    receipt(manners, pdu, id, 'DELIVRD', '000');
    setTimeout(() => session.send(pdu.response({ message_id: id })), 50);
    return;
  }
  session.send(pdu.response({ message_id: id }));
  play(manners, pdu, id);
}

function serve(session) {
  session.on('error', () => {});
  let manners = '';
  const bind = (kind) => (pdu) => {
    if (pdu.password !== 'secret') {
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
      session.close();
      return;
    }
    manners = pdu.system_id;
    tell({ bound: kind });
    session.send(pdu.response({ system_id: 'smsc' }));
    if (kind !== 'transmitter') receiver = session;
    if (process.env.HANDSET) handset(session);
  };
  session.on('bind_transceiver', bind('transceiver'));
  session.on('bind_transmitter', bind('transmitter'));
  session.on('bind_receiver', bind('receiver'));
  session.on('enquire_link', (pdu) => { tell({ enquire_link: true }); session.send(pdu.response()); });
  session.on('submit_sm', (pdu) => submit(session, manners, pdu));
  session.on('unbind', (pdu) => { tell({ unbound: true }); session.send(pdu.response()); session.close(); });
}

const tls = process.env.TLS_KEY
  ? { key: fs.readFileSync(process.env.TLS_KEY), cert: fs.readFileSync(process.env.TLS_CERT), tls: true } : {};
const server = smpp.createServer(tls, serve);
server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => tell({ listening: server.address().port }));
// The test that started it closes its standard input by ending.
process.stdin.on('end', () => process.exit(0)).resume();
