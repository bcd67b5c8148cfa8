/* SPDX-License-Identifier: ISC */
#include "structures/structures.h"

int structures_register(void)
{
	return structures_register_file_types();
}
