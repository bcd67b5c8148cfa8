/* SPDX-License-Identifier: ISC */
#include "store/oid.h"

#include <errno.h>

const struct oid oid_empty_tree = { { 0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e,
				      0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6,
				      0x92, 0x88, 0xfb, 0xee, 0x49, 0x04 } };

char *oid_hex(const struct oid *oid, char hex[OID_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < OID_SIZE; i++) {
		hex[2 * i] = digits[oid->id[i] >> 4];
		hex[2 * i + 1] = digits[oid->id[i] & 15];
	}
	hex[OID_HEX_SIZE - 1] = '\0';
	return hex;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int oid_parse(const char *text, struct oid *ret_oid)
{
	struct oid oid;

	for (int i = 0; i < OID_SIZE; i++) {
		int high = digit(text[2 * i]);
		int low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return -EINVAL;
		oid.id[i] = high << 4 | low;
	}
	*ret_oid = oid;
	return 0;
}
