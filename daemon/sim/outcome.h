/* The end of a run in the trace: what the books, the database and the dead letters have. */
#ifndef BACKSTEP_SIM_OUTCOME_H
#define BACKSTEP_SIM_OUTCOME_H

/* Where somebody listens:
 *
 *   end NAME N                    the number of the books, if not zero
 *   end starts|dropped|letters|expired|lost N          likewise; lost: records to power cuts
 *   end steps in MEASUREMENT N    the sum over its rows
 *   end row LINE                  of the database, by measurement, tags and time; not of
 *                                 backstep_service
 *   end letter JSON               of the dead letters
 */
void sim_outcome_trace(void);

#endif
