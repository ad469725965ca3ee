#include "textflag.h"

// Sixteen times: the lowest byte of a range, how many follow it, and J, % and
// the backslash.
DATA range<>+0(SB)/8, $0x3030303030303030
DATA range<>+8(SB)/8, $0x3030303030303030
DATA range<>+16(SB)/8, $0x1010101010101010
DATA range<>+24(SB)/8, $0x1010101010101010
GLOBL range<>(SB), RODATA|NOPTR, $32
DATA others<>+0(SB)/8, $0x4a4a4a4a4a4a4a4a
DATA others<>+8(SB)/8, $0x4a4a4a4a4a4a4a4a
DATA others<>+16(SB)/8, $0x2525252525252525
DATA others<>+24(SB)/8, $0x2525252525252525
DATA others<>+32(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA others<>+40(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL others<>(SB), RODATA|NOPTR, $48

// The bits of sixteen bytes. A byte is in the range if, less the lowest, it is at
// most the number of those that follow.
#define SIXTEEN(bytes, bits) \
	MOVOU    bytes, X0; \
	MOVOA    X0, X1; \
	PSUBB    X4, X1; \
	MOVOA    X1, X2; \
	PMINUB   X5, X2; \
	PCMPEQB  X2, X1; \
	MOVOA    X0, X3; \
	PCMPEQB  X6, X3; \
	POR      X3, X1; \
	MOVOA    X0, X3; \
	PCMPEQB  X7, X3; \
	POR      X3, X1; \
	PCMPEQB  X8, X0; \
	POR      X0, X1; \
	PMOVMSKB X1, bits

// func triggers(s string, i, n int) uint64
//
// SSE2 alone, which every amd64 has. Of fewer than 64 bytes some are looked at
// twice: the later sixteen begin at most at n - 16.
TEXT ·triggers(SB), NOSPLIT, $0-40
	MOVQ    s_base+0(FP), SI
	ADDQ    i+16(FP), SI
	MOVQ    n+24(FP), R10
	MOVOU   range<>+0(SB), X4
	MOVOU   range<>+16(SB), X5
	MOVOU   others<>+0(SB), X6
	MOVOU   others<>+16(SB), X7
	MOVOU   others<>+32(SB), X8
	SUBQ    $16, R10
	MOVQ    $16, R8
	MOVQ    $32, R9
	CMPQ    R10, R8
	CMOVQLT R10, R8
	CMPQ    R10, R9
	CMOVQLT R10, R9
	SIXTEEN((SI), AX)
	SIXTEEN((SI)(R8*1), BX)
	SIXTEEN((SI)(R9*1), DX)
	SIXTEEN((SI)(R10*1), DI)
	MOVQ    R8, CX
	SHLQ    CX, BX
	MOVQ    R9, CX
	SHLQ    CX, DX
	MOVQ    R10, CX
	SHLQ    CX, DI
	ORQ     BX, AX
	ORQ     DX, DI
	ORQ     DI, AX
	MOVQ    AX, ret+32(FP)
	RET
