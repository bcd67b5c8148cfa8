/* SPDX-License-Identifier: ISC */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

/* Numbers as if at random, the same in each run. */

static uint64_t roll_seed __attribute__((unused));

/* The next one from roll_seed, below sides. */
static inline unsigned int roll(unsigned int sides)
{
	roll_seed = roll_seed * 6364136223846793005u + 1442695040888963407u;
	return (roll_seed >> 33) % sides;
}

/* The same for who keeps the state, which is not 0. */
static inline uint64_t draw(uint64_t *random, uint64_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (*random >> 11) % below;
}

#endif
