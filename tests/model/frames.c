/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Beats of the driver: what a process says, what of it is spoiled, and what the kernel attests. */

#include <string.h>

#include "drive.h"
#include "vlp/crc32c.h"

#define HOSTILE_PID  UINT32_C(4000000000)
#define CROWD_PID    UINT32_C(10000)
#define CROWD_SOURCE UINT64_C(0x3333)

static Process *drive_process(Drive *d, const Op *op) {
        return &d->world.processes[op->process % d->world.n_processes];
}

static uint64_t op_nonce(const Op *op, const Process *p) {
        uint64_t near = op->n % 3;

        switch ((NonceMode) op->nonce) {
        case NONCE_SAME:
                return p->nonce;
        case NONCE_BACK:
                return p->nonce - MIN(p->nonce, op->n % 4);
        case NONCE_FIRST:
                return VLP_NONCE_FIRST;
        case NONCE_ZERO:
                return 0;
        case NONCE_SKIP:
                return MIN(p->nonce, VLP_NONCE_TERMINAL - 100) + op->n % 50;
        case NONCE_LAST:
                return VLP_NONCE_TERMINAL - 1 - near;
        case NONCE_EDGE_HIGH:
                return VLP_NONCE_TERMINAL - (UINT64_C(1) << 20) + near - 1;
        case NONCE_EDGE_LOW:
                return (UINT64_C(1) << 20) + near - 1;
        case NONCE_ANY:
                return op->n % VLP_NONCE_TERMINAL;
        case NONCE_TERMINAL:
                return VLP_NONCE_TERMINAL;
        case NONCE_NEXT:
        default:
                return vlp_nonce_next(p->nonce);
        }
}

static uint64_t op_stamp(const Op *op, const Process *p) {
        switch (op->stamp) {
        case 0:
                return MIN(p->stamp, VLP_TIMESTAMP_INVALID - 2) + 1;
        case 1:
                return p->stamp;
        case 2:
                return p->stamp - MIN(p->stamp, UINT64_C(1));
        default:
                return VLP_TIMESTAMP_INVALID - 1;
        }
}

static uint32_t op_claim(const Drive *d, const Op *op) {
        uint32_t process = op->process % d->world.n_processes;

        switch ((ClaimMode) op->claim) {
        case CLAIM_OUTER:
                return WORLD_PID_BASE + process;
        case CLAIM_NEIGHBOUR:
                return WORLD_PID_BASE + (uint32_t) (op->n % d->world.n_processes);
        case CLAIM_SMALL:
                return VLP_PID_MIN + (uint32_t) (op->n & 3);
        case CLAIM_HIGH:
                return HOSTILE_PID + (uint32_t) (op->n & 1);
        case CLAIM_OWN:
        default:
                return world_claim(&d->world, process);
        }
}

static void frame_seal(uint8_t *bytes) {
        uint32_t crc = vlp_crc32c(bytes, VLP_OFFSET_CRC);

        for (int i = 0; i < 4; i++)
                bytes[VLP_OFFSET_CRC + i] = (uint8_t) (crc >> 8 * i);
}

/* Makes one thing wrong; the ones that come later in the protocol's order stay right or wrong as they were. */
static void frame_spoil(uint8_t *bytes, const Op *op) {
        switch ((VlpError) op->defect) {
        case VLP_ERROR_BAD_MAGIC:
                bytes[op->m & 1] ^= 0x20;
                return;
        case VLP_ERROR_BAD_VERSION:
                bytes[VLP_OFFSET_VERSION] = (uint8_t) (op->m & 1 ? 1 : 3);
                return;
        case VLP_ERROR_BAD_CRC:
                bytes[op->m % 8 + 20] ^= (uint8_t) (1 << (op->m >> 8 & 7));
                return;
        case VLP_ERROR_BAD_STATUS:
                bytes[VLP_OFFSET_STATUS] = (uint8_t) (4 + op->m % 252);
                break;
        case VLP_ERROR_STALL_ON_WIRE:
                bytes[VLP_OFFSET_STATUS] = VLP_STATUS_STALL;
                break;
        case VLP_ERROR_BAD_PID:
                memset(bytes + VLP_OFFSET_PID, 0, 4);
                bytes[VLP_OFFSET_PID] = op->m & 1;
                break;
        case VLP_ERROR_BAD_TIMESTAMP:
                memset(bytes + VLP_OFFSET_TIMESTAMP, 0xff, 8);
                break;
        case VLP_ERROR_BAD_NONCE:
                memset(bytes + VLP_OFFSET_NONCE, 0xff, 8);
                bytes[VLP_OFFSET_STATUS] = op->m & 1;
                break;
        default:
                return;
        }
        frame_seal(bytes);
}

static void beat_frame(Drive *d, const Op *op, uint8_t *bytes) {
        Process *p = drive_process(d, op);
        VlpFrame f = {
                .pid = op_claim(d, op),
                .nonce = op_nonce(op, p),
                .timestamp = op_stamp(op, p),
                .status = op->status,
                .payload = (uint32_t) op->m,
        };

        if (vlp_frame_is_terminal(&f)) {
                f.status = VLP_STATUS_CRITICAL;
                p->stamp = f.timestamp;
        } else
                p->nonce = f.nonce;
        if (vlp_frame_encode(&f, bytes) < 0)
                drive_fail(d, "the driver made an impossible frame");
        frame_spoil(bytes, op);
}

void drive_beat(Drive *d, const Op *op) {
        static const uint64_t sources[] = { SOURCE_LOCAL, 0x1111, 0x2222 };
        const Process *p = drive_process(d, op);
        Datagram *b = &d->batch[d->n_batch];

        *b = (Datagram){
                .frame = d->frames[d->n_batch],
                .origin = op->origin,
                .uid = UID_NONE,
                .verdict = op->verdict,
                .listener = (uint8_t) (op->listener % d->listeners),
        };
        beat_frame(d, op, d->frames[d->n_batch]);
        if (op->origin == ORIGIN_KERNEL_ATTESTED && op->verdict == RECEIVE_OK) {
                b->pid = WORLD_PID_BASE + op->process % d->world.n_processes;
                b->uid = op->uid == 0 ? p->uid : 1000U + op->uid;
        } else if (op->origin < ORIGIN_KERNEL_ATTESTED && op->origin != ORIGIN_SOCKET_MODE_ONLY)
                b->source = sources[op->source % ELEMENTSOF(sources)];

        d->model_batch[d->n_batch] = *b;
        if (op->origin < ORIGIN_KERNEL_ATTESTED && op->held > 0 && d->n_held > 0) {
                b->unit = d->held[op->held % d->n_held].real;
                d->model_batch[d->n_batch].unit = d->held[op->held % d->n_held].model;
        }
        d->n_batch++;
        d->datagrams++;
}

/* Members of the crowd beat, the first of them more often than the last: some will be silent for long. */
void drive_crowd(Drive *d, const Op *op) {
        uint32_t most = d->history->crowded ? d->model->settings.capacity * 5 / 4 : 4;
        uint32_t n = 1 + (uint32_t) (op->n % most);

        d->world.crowd++;
        for (uint32_t i = 0; i < n; i++) {
                VlpFrame f = { .pid = CROWD_PID + i, .nonce = d->world.crowd, .payload = (uint32_t) op->m };

                if (d->n_batch == OBSERVER_BATCH_MAX)
                        drive_batch(d);
                (void) vlp_frame_encode(&f, d->frames[d->n_batch]);
                d->batch[d->n_batch] = d->model_batch[d->n_batch] = (Datagram){
                        .frame = d->frames[d->n_batch],
                        .source = CROWD_SOURCE,
                        .uid = UID_NONE,
                        .origin = op->m & 1 ? ORIGIN_OPERATOR_ATTESTED : ORIGIN_NETWORK_UNVERIFIED,
                };
                if (d->n_held > 0 && i % 3 != 0) {
                        d->batch[d->n_batch].unit = d->held[i % d->n_held].real;
                        d->model_batch[d->n_batch].unit = d->held[i % d->n_held].model;
                }
                d->n_batch++;
                d->datagrams++;
        }
}
